// The layers of gin.py and their backward pass, a tile of cells at a time: all layers while it lies in the cache.
//
// Shapes: B cells, V vertices, F inputs, H outputs (a multiple of 16), L layers, R = B V rows; S trials.

#pragma once

#include "products.hpp"

namespace {

constexpr int64_t PIECE = int64_t(1) << 22;  // numbers

// weights of a layer (H, F), (H,), (H, H), (H,), one after the other, or their gradients
template <class Number>
struct LayerWeights {
    Number *inner, *inner_bias, *outer, *outer_bias;
};

struct Sizes {
    int64_t trials, cells, vertices, inputs, width, layers, pooled, threads;

    int64_t fan_in(int64_t layer) const { return layer ? width : inputs; }
    int64_t numbers_of_layers(int64_t count) const {
        return count ? width * (count * (width + 2) + inputs + (count - 1) * width) : 0;
    }
    int64_t numbers_of_the_weights() const { return numbers_of_layers(layers); }
    template <class Number>
    LayerWeights<Number> of_layer(Number* weights, int64_t trial, int64_t layer) const {
        Number *inner = weights + trial * numbers_of_the_weights() + numbers_of_layers(layer),
               *inner_bias = inner + width * fan_in(layer), *outer = inner_bias + width;
        return {inner, inner_bias, outer, outer + width * width};
    }
    int64_t columns(int64_t layer) const { return rounded(fan_in(layer), 16); }
    int64_t tile_cells() const { return std::max<int64_t>(1, TILE / vertices); }
    int64_t tile_rows() const { return rounded(tile_cells() * vertices, ROWS); }
    int64_t tiles() const { return (cells + tile_cells() - 1) / tile_cells(); }
    int64_t saved_of_a_tile() const { return layers * 2 * tile_rows() * width; }
    // what is saved lies in pieces: memory of more than 32 MiB is given back when it is freed (memory.py)
    int64_t tiles_of_a_piece() const { return std::max<int64_t>(1, PIECE / saved_of_a_tile()); }
    int64_t pieces() const { return (tiles() + tiles_of_a_piece() - 1) / tiles_of_a_piece(); }
    int64_t numbers_of_a_piece() const { return std::min(tiles(), tiles_of_a_piece()) * saved_of_a_tile(); }

    template <class Number>
    Number* saved_at(Number* const* saved, int64_t trial, int64_t tile) const {
        return saved[trial * pieces() + tile / tiles_of_a_piece()] + tile % tiles_of_a_piece() * saved_of_a_tile();
    }
};

// weights of a layer as words [k][column] of the right factor
template <class T>
struct Weights {
    Array<typename T::Word> inner, outer;
    const float *inner_bias, *outer_bias;
};

// what a thread works in: messages are (A + A^T + I) times rows, `by_heard` their gradient, `within` and `behind` those before the
// inner and the outer ReLU; in sums over a tile's rows, one of the factors is zero beyond its last, the other finite
template <class T>
struct Scratch {
    using Number = typename T::Number;
    using Word = typename T::Word;
    Array<Number> features, message, by_heard, behind, within;
    Array<Word> neighbours, mixed;
    Paired<T> paired;

    explicit Scratch(const Sizes& sizes)
        : neighbours(sizes.tile_cells() * sizes.vertices * words_of_a_row(sizes)),
          mixed(words_of_a_row(sizes) * std::max(sizes.columns(0), sizes.width)) {
        // by_neighbours takes a cell's rows turned
        const int64_t rows = std::max(sizes.tile_rows(), rounded(sizes.vertices, 16)),
                      numbers = rows * std::max(sizes.columns(0), sizes.width);
        for (auto* rows : {&features, &message, &by_heard, &behind, &within}) rows->resize(numbers);
        for (auto* words : {&paired.left, &paired.right}) words->resize(numbers);
    }

    static int64_t words_of_a_row(const Sizes& sizes) { return (sizes.vertices + T::PAIR - 1) / T::PAIR; }

    void read(const Sizes& sizes, const Number* neighbours_BVV, const Number* features_BVF, int64_t cells) {
        const int64_t vertices = sizes.vertices, rows = cells * vertices, words = words_of_a_row(sizes);
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t k = 0; k < words; ++k) {
                const Number* pair = neighbours_BVV + row * vertices + k * T::PAIR;
                const bool second = k * T::PAIR + 1 < vertices;
                neighbours[row * words + k] = T::word(T::number(pair[0]), second ? T::number(pair[1]) : 0.0f);
            }
        read_rows<T>(features_BVF, rows, sizes.inputs, rows, sizes.columns(0), features.data());
    }

    // done(row, column, sums) for what each vertex of the tile hears: neighbours, which are symmetric, times rows
    template <class Done>
    void mix(const Sizes& sizes, const Number* rows, int64_t cells, int64_t columns, const Done& done) {
        const int64_t vertices = sizes.vertices, words = words_of_a_row(sizes);
        for (int64_t cell = 0; cell < cells; ++cell) {
            const int64_t above = cell * vertices;
            const Word* right = T::paired(rows + above * columns, vertices, columns, mixed.data());
            product<T>({neighbours.data() + above * words, words, 1, right, columns, words}, vertices, columns,
                       [&](int64_t row, int64_t column, Vector sums) { done(above + row, column, sums); });
        }
    }

    void hear(const Sizes& sizes, const Number* rows, int64_t cells, int64_t columns) {
        const int64_t last = cells * sizes.vertices, padded = rounded(last, ROWS);
        mix(sizes, rows, cells, columns, [&](int64_t row, int64_t column, Vector sums) {
            T::store(message.data() + row * columns + column, sums);
        });
        std::fill(message.data() + last * columns, message.data() + padded * columns, Number{});
    }
};

template <class T>
void forward_tile(const Sizes& sizes, const std::vector<Weights<T>>& weights, Scratch<T>& scratch, int64_t cells,
                  const typename T::Number* neighbours, const typename T::Number* features, void* result,
                  typename T::Number* saved) {
    using Number = typename T::Number;
    const int64_t width = sizes.width, vertices = sizes.vertices, rows = cells * vertices,
                  padded = rounded(rows, ROWS), numbers = sizes.tile_rows() * width;
    scratch.read(sizes, neighbours, features, cells);
    for (int64_t layer = 0; layer < sizes.layers; ++layer) {
        Number *middle = saved + 2 * layer * numbers, *output = middle + numbers;
        const Number* before = layer ? middle - numbers : scratch.features.data();
        const Weights<T>& own = weights[layer];
        const int64_t inputs = sizes.columns(layer);
        scratch.hear(sizes, before, cells, inputs);
        const auto rectified = [width](const float* bias, Number* into) {
            return [=](int64_t row, int64_t column, Vector sums) {
                T::store(into + row * width + column, relu(sums + load(bias + column)));
            };
        };
        product<T>({as_words<T>(scratch.message.data()), inputs / T::PAIR, 1, own.inner.data(), width,
                    (sizes.fan_in(layer) + T::PAIR - 1) / T::PAIR},
                   padded, width, rectified(own.inner_bias, middle));
        product<T>({as_words<T>(middle), width / T::PAIR, 1, own.outer.data(), width, width / T::PAIR}, padded, width,
                   rectified(own.outer_bias, output));
        if (sizes.pooled)
            for (int64_t cell = 0; cell < cells; ++cell)
                for (int64_t column = 0; column < width; column += LANES) {
                    Vector sum{};
                    for (int64_t row = cell * vertices; row < (cell + 1) * vertices; ++row)
                        sum += T::load(output + row * width + column);
                    store(static_cast<float*>(result) + (cell * sizes.layers + layer) * width + column,
                          sum / float(vertices));
                }
        else if (layer + 1 == sizes.layers)
            std::copy_n(output, rows * width, static_cast<Number*>(result));
    }
}

// gradients of a layer's weights
struct LayerGradients {
    Array<float> inner, inner_bias, outer, outer_bias;
};

struct Gradients {
    std::vector<LayerGradients> layers;

    explicit Gradients(const Sizes& sizes) {
        for (int64_t layer = 0; layer < sizes.layers; ++layer)
            layers.push_back({Array<float>(sizes.width * sizes.columns(layer)), Array<float>(sizes.width),
                              Array<float>(sizes.width * sizes.width), Array<float>(sizes.width)});
    }
};

// add by_heard times rows^T of each cell, (V, V)
template <class T>
void add_by_neighbours(const Sizes& sizes, Scratch<T>& scratch, const typename T::Number* by_heard,
                       const typename T::Number* rows, int64_t cells, int64_t inputs, Array<float>& by_neighbours) {
    const int64_t vertices = sizes.vertices, depth = inputs / T::PAIR, columns = rounded(vertices, 16);
    auto& turned = scratch.paired.right;
    for (int64_t cell = 0; cell < cells; ++cell) {
        const auto* words = as_words<T>(rows + cell * vertices * inputs);
        std::fill_n(turned.data(), depth * columns, typename T::Word{});
        for (int64_t vertex = 0; vertex < vertices; ++vertex)
            for (int64_t k = 0; k < depth; ++k) turned[k * columns + vertex] = words[vertex * depth + k];
        product<T>({as_words<T>(by_heard + cell * vertices * inputs), depth, 1, turned.data(), columns, depth}, vertices,
                   columns, [&](int64_t row, int64_t column, Vector sums) {
                       float* into = by_neighbours.data() + (cell * vertices + row) * columns + column;
                       store(into, load(into) + sums);
                   });
    }
}

template <class T>
void backward_tile(const Sizes& sizes, const std::vector<Weights<T>>& weights, Scratch<T>& scratch, int64_t cells,
                   const typename T::Number* neighbours, const typename T::Number* features,
                   const typename T::Number* saved, const void* gradient, typename T::Number* by_neighbours,
                   typename T::Number* by_features, Gradients* by_weights) {
    using Number = typename T::Number;
    const int64_t width = sizes.width, vertices = sizes.vertices, rows = cells * vertices,
                  padded = rounded(rows, ROWS), numbers = sizes.tile_rows() * width, columns = rounded(vertices, 16);
    Array<float> pairs(by_neighbours ? rows * columns : 0);
    Number *behind = scratch.behind.data(), *within = scratch.within.data(), *by_heard = scratch.by_heard.data();
    scratch.read(sizes, neighbours, features, cells);
    std::fill(behind + rows * width, behind + padded * width, Number{});
    for (int64_t layer = sizes.layers - 1; layer >= 0; --layer) {
        const Number *middle = saved + 2 * layer * numbers, *output = middle + numbers,
                     *before = layer ? middle - numbers : scratch.features.data();
        const auto into_behind = [&](int64_t row, int64_t column, Vector by_output) {
            if (sizes.pooled)
                by_output += load(static_cast<const float*>(gradient) +
                                  (row / vertices * sizes.layers + layer) * width + column) / float(vertices);
            const int64_t place = row * width + column;
            T::store(behind + place, through_relu(by_output, T::load(output + place)));
        };
        if (layer == sizes.layers - 1)
            for (int64_t row = 0; row < rows; ++row)
                for (int64_t column = 0; column < width; column += LANES)
                    into_behind(row, column,
                                sizes.pooled ? Vector{} : T::load(static_cast<const Number*>(gradient) + row * width + column));
        else
            scratch.mix(sizes, by_heard, cells, width, into_behind);
        const Weights<T>& own = weights[layer];
        product<T>({as_words<T>(behind), width / T::PAIR, 1, own.outer.data(), width, width / T::PAIR}, padded, width,
                   [&](int64_t row, int64_t column, Vector sums) {
                       const int64_t place = row * width + column;
                       T::store(within + place, through_relu(sums, T::load(middle + place)));
                   });
        const int64_t inputs = sizes.columns(layer);
        if (by_weights) {
            LayerGradients& gradients = by_weights->layers[layer];
            scratch.hear(sizes, before, cells, inputs);
            add_products<T>(scratch.paired, behind, middle, padded, width, width, gradients.outer, gradients.outer_bias);
            add_products<T>(scratch.paired, within, scratch.message.data(), padded, width, inputs, gradients.inner,
                            gradients.inner_bias);
        }
        if (!layer && !by_features && !by_neighbours) break;
        product<T>({as_words<T>(within), width / T::PAIR, 1, own.inner.data(), inputs, width / T::PAIR}, padded, inputs,
                   [&](int64_t row, int64_t column, Vector sums) {
                       T::store(by_heard + row * inputs + column, sums);
                   });
        if (by_neighbours) add_by_neighbours<T>(sizes, scratch, by_heard, before, cells, inputs, pairs);
    }
    if (by_features) {
        const int64_t inputs = sizes.columns(0);
        scratch.hear(sizes, by_heard, cells, inputs);
        for (int64_t row = 0; row < rows; ++row)
            std::copy_n(scratch.message.data() + row * inputs, sizes.inputs, by_features + row * sizes.inputs);
    }
    if (by_neighbours)
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t column = 0; column < vertices; ++column)
                by_neighbours[row * vertices + column] = T::rounded(pairs[row * columns + column]);
}

int64_t cells_of(const Sizes& sizes, int64_t tile) {
    return std::min(sizes.tile_cells(), sizes.cells - tile * sizes.tile_cells());
}

template <class T, class Number = typename T::Number>
void forward(const Sizes& sizes, const Number* neighbours, const Number* features, const float* all, void* result,
             Number* const* saved) {
    const int64_t vertices = sizes.vertices, width = sizes.width,
                  of_a_cell = sizes.pooled ? sizes.layers * width * sizeof(float) : vertices * width * sizeof(Number);
    auto scratch = of_each_thread<Scratch<T>>(sizes);
    for (int64_t trial = 0; trial < sizes.trials; ++trial) {
        std::vector<Weights<T>> weights;
        for (int64_t layer = 0; layer < sizes.layers; ++layer) {
            const auto own = sizes.of_layer(all, trial, layer);
            weights.push_back({transposed<T>(own.inner, width, sizes.fan_in(layer)),
                               transposed<T>(own.outer, width, width), own.inner_bias, own.outer_bias});
        }
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
            const int64_t cell = trial * sizes.cells + tile * sizes.tile_cells();
            forward_tile<T>(sizes, weights, scratch[thread], cells_of(sizes, tile),
                            neighbours + cell * vertices * vertices, features + cell * vertices * sizes.inputs,
                            static_cast<char*>(result) + cell * of_a_cell,
                            sizes.saved_at(saved, trial, tile));
        });
    }
}

template <class T, class Number = typename T::Number>
void backward(const Sizes& sizes, const Number* neighbours, const Number* features, const float* all,
              const Number* const* saved, const void* gradient, Number* by_neighbours, Number* by_features,
              float* by_weights) {
    const int64_t vertices = sizes.vertices, width = sizes.width,
                  of_a_cell = sizes.pooled ? sizes.layers * width * sizeof(float) : vertices * width * sizeof(Number);
    auto scratch = of_each_thread<Scratch<T>>(sizes);
    for (int64_t trial = 0; trial < sizes.trials; ++trial) {
        std::vector<Weights<T>> weights;
        for (int64_t layer = 0; layer < sizes.layers; ++layer) {
            const auto own = sizes.of_layer(all, trial, layer);
            weights.push_back({natural<T>(own.inner, width, sizes.fan_in(layer), sizes.columns(layer)),
                               natural<T>(own.outer, width, width, width), nullptr, nullptr});
        }
        std::vector<Gradients> gradients;
        if (by_weights) gradients = of_each_thread<Gradients>(sizes);
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
            const int64_t cell = trial * sizes.cells + tile * sizes.tile_cells();
            backward_tile<T>(sizes, weights, scratch[thread], cells_of(sizes, tile),
                             neighbours + cell * vertices * vertices, features + cell * vertices * sizes.inputs,
                             sizes.saved_at(saved, trial, tile),
                             static_cast<const char*>(gradient) + cell * of_a_cell,
                             by_neighbours ? by_neighbours + cell * vertices * vertices : nullptr,
                             by_features ? by_features + cell * vertices * sizes.inputs : nullptr,
                             by_weights ? &gradients[thread] : nullptr);
        });
        if (!by_weights) continue;
        for (int64_t layer = 0; layer < sizes.layers; ++layer) {
            const int64_t inputs = sizes.fan_in(layer), columns = sizes.columns(layer);
            const auto into = sizes.of_layer(by_weights, trial, layer);
            const auto write = [&](auto part, int64_t rows, int64_t all, int64_t kept, float* to) {
                write_sum(gradients, [&](const auto& own) -> const auto& { return own.layers[layer].*part; }, rows, all, kept, to);
            };
            write(&LayerGradients::inner, width, columns, inputs, into.inner);
            write(&LayerGradients::inner_bias, 1, width, width, into.inner_bias);
            write(&LayerGradients::outer, width, width, width, into.outer);
            write(&LayerGradients::outer_bias, 1, width, width, into.outer_bias);
        }
    }
}

}  // namespace
