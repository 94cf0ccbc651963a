// The layers of gin.py and their backward pass, a tile of cells at a time: all layers while it lies in the cache.

#pragma once

#include "shared.hpp"

namespace {

template <class T>
void forward_tile(const Sizes& sizes, const std::vector<Weights<T>>& weights, Scratch<T>& scratch, int64_t cells,
                  const typename T::Number* neighbours, const typename T::Number* features, void* result,
                  typename T::Number* saved, const SharedRows<T>* shared) {
    using Number = typename T::Number;
    const int64_t width = sizes.width, vertices = sizes.vertices, rows = cells * vertices,
                  padded = rounded(rows, ROWS), numbers = sizes.tile_rows() * width;
    if (shared)
        scratch.read_neighbours(sizes, neighbours, cells);
    else
        scratch.read(sizes, neighbours, features, cells);
    for (int64_t layer = 0; layer < sizes.layers; ++layer) {
        Number *middle = saved ? saved + 2 * layer * numbers : scratch.within.data(),
               *output = saved ? middle + numbers : scratch.behind.data();
        const Number* before = !layer ? scratch.features.data() : saved ? middle - numbers : output;
        const Weights<T>& own = weights[layer];
        const int64_t inputs = sizes.columns(layer);
        const auto inner = rectified<T>(own.inner_bias, width, middle);
        const bool known = shared && layer == 0;
        if (!known) {
            if (shared && layer == 1) {
                Number* next = scratch.features.data();
                shared->read_next(rows, width, next);
                scratch.mix(sizes, next, cells, width, inner);
                std::fill(middle + rows * width, middle + padded * width, Number{});
            } else {
                scratch.hear(sizes, before, cells, inputs);
                multiply<T>(scratch.message.data(), padded, inputs, own.inner, width, inner);
            }
            multiply<T>(middle, padded, width, own.outer, width, rectified<T>(own.outer_bias, width, output));
        }
        if (sizes.pooled)
            for (int64_t cell = 0; cell < cells; ++cell)
                for (int64_t column = 0; column < width; column += LANES) {
                    Vector sum{};
                    for (int64_t row = cell * vertices; row < (cell + 1) * vertices; ++row)
                        sum += T::load((known ? shared->output(row, width) : output + row * width) + column);
                    store(static_cast<float*>(result) + (cell * sizes.layers + layer) * width + column,
                          sum / float(vertices));
                }
        else if (layer + 1 == sizes.layers)
            std::copy_n(output, rows * width, static_cast<Number*>(result));
    }
}

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
                   typename T::Number* by_features, Gradients* by_weights, const int32_t* which, SharedSums* sums) {
    using Number = typename T::Number;
    const int64_t width = sizes.width, vertices = sizes.vertices, rows = cells * vertices,
                  padded = rounded(rows, ROWS), numbers = sizes.tile_rows() * width, columns = rounded(vertices, 16);
    Array<float> pairs(by_neighbours ? rows * columns : 0);
    Number *behind = scratch.behind.data(), *within = scratch.within.data(), *by_heard = scratch.by_heard.data();
    if (sums)
        scratch.read_neighbours(sizes, neighbours, cells);
    else
        scratch.read(sizes, neighbours, features, cells);
    std::fill(behind + rows * width, behind + padded * width, Number{});
    // of a mean each vertex has the same share
    Array<float> shares(sizes.pooled ? cells * sizes.layers * width : 0);
    for_vectors(shares.size() / width, width, [&](int64_t row, int64_t column) {
        const int64_t place = row * width + column;
        store(shares.data() + place, load(static_cast<const float*>(gradient) + place) / float(vertices));
    });
    const auto of_the_mean = [&](int64_t row, int64_t layer, int64_t column) {
        return load(shares.data() + (row / vertices * sizes.layers + layer) * width + column);
    };
    const auto add_to = [&](Array<float>& sums, int64_t row, int64_t column, Vector numbers) {
        float* into = sums.data() + which[row] * width + column;
        store(into, load(into) + numbers);
    };
    const int64_t first = sums ? 1 : 0;
    for (int64_t layer = sizes.layers - 1; layer >= first; --layer) {
        const Number *middle = saved + 2 * layer * numbers, *output = middle + numbers,
                     *before = layer ? middle - numbers : scratch.features.data();
        if (layer > first) prefetch(middle - 2 * numbers, 2 * numbers);  // what the next layer reads
        const auto into_behind = [&](int64_t row, int64_t column, Vector by_output) {
            if (sizes.pooled) by_output += of_the_mean(row, layer, column);
            passed<T>(output, width, behind)(row, column, by_output);
        };
        if (layer == sizes.layers - 1)
            for_vectors(rows, width, [&](int64_t row, int64_t column) {
                into_behind(row, column,
                            sizes.pooled ? Vector{} : T::load(static_cast<const Number*>(gradient) + row * width + column));
            });
        else
            scratch.mix(sizes, by_heard, cells, width, into_behind);
        const Weights<T>& own = weights[layer];
        multiply<T>(behind, padded, width, own.outer, width, passed<T>(middle, width, within));
        const int64_t inputs = sizes.columns(layer);
        if (by_weights) {
            LayerGradients& gradients = by_weights->layers[layer];
            add_products<T>(scratch.paired, behind, middle, padded, width, width, gradients.outer, &gradients.outer_bias);
            if (sums && layer == 1)
                add_sums<T>(T::paired(within, padded, width, scratch.paired.left.data()), padded, width, gradients.inner_bias);
            else {
                scratch.hear(sizes, before, cells, inputs);
                add_products<T>(scratch.paired, within, scratch.message.data(), padded, width, inputs, gradients.inner,
                                &gradients.inner_bias);
            }
        }
        if (sums && layer == 1) {
            scratch.mix(sizes, within, cells, width, [&](int64_t row, int64_t column, Vector by_next) {
                add_to(sums->by_next, row, column, by_next);
            });
            break;
        }
        if (!layer && !by_features && !by_neighbours) break;
        multiply<T>(within, padded, width, own.inner, inputs, [&](int64_t row, int64_t column, Vector sums) {
            T::store(by_heard + row * inputs + column, sums);
        });
        if (by_neighbours) add_by_neighbours<T>(sizes, scratch, by_heard, before, cells, inputs, pairs);
    }
    if (sums)
        for_vectors(rows, width, [&](int64_t row, int64_t column) {
            add_to(sums->by_output, row, column, of_the_mean(row, 0, column));
        });
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

template <class T, class Number = typename T::Number>
void forward(const Sizes& sizes, const Number* neighbours, const Number* features, const float* all, void* result,
             Number* const* saved, void* bytes) {
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
        Array<Number> next;
        Shared<T> shared(sizes, bytes, trial);
        if (bytes) {
            const int64_t first = trial * sizes.rows();
            find_shared(sizes, scratch, neighbours + first * vertices, features + first * sizes.inputs, shared);
            if (shared) forward_shared(sizes, weights, shared, next);
        }
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
            const int64_t above = tile * sizes.tile_cells(), cell = trial * sizes.cells + above;
            const SharedRows<T> rows{shared ? shared.which + above * vertices : nullptr, shared.outputs, next.data()};
            forward_tile<T>(sizes, weights, scratch[thread], cells_of(sizes, tile),
                            neighbours + cell * vertices * vertices, features + cell * vertices * sizes.inputs,
                            static_cast<char*>(result) + cell * of_a_cell,
                            saved ? sizes.saved_at(saved, trial, tile) : nullptr, shared ? &rows : nullptr);
        });
    }
}

template <class T, class Number = typename T::Number>
void backward(const Sizes& sizes, const Number* neighbours, const Number* features, const float* all,
              const Number* const* saved, void* bytes, const void* gradient, Number* by_neighbours, Number* by_features,
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
        const Shared<T> shared(sizes, bytes, trial);
        std::vector<SharedSums> sums;
        if (shared) sums = of_each_thread<SharedSums>(sizes, shared.padded());
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
            const int64_t above = tile * sizes.tile_cells(), cell = trial * sizes.cells + above;
            backward_tile<T>(sizes, weights, scratch[thread], cells_of(sizes, tile),
                             neighbours + cell * vertices * vertices, features + cell * vertices * sizes.inputs,
                             sizes.saved_at(saved, trial, tile),
                             static_cast<const char*>(gradient) + cell * of_a_cell,
                             by_neighbours ? by_neighbours + cell * vertices * vertices : nullptr,
                             by_features ? by_features + cell * vertices * sizes.inputs : nullptr,
                             by_weights ? &gradients[thread] : nullptr, shared ? shared.which + above * vertices : nullptr,
                             shared ? &sums[thread] : nullptr);
        });
        if (shared) backward_shared(sizes, weights, scratch, shared, sums, gradients);
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
