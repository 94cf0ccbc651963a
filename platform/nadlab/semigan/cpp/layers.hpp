// What the layers of a GIN are made of: their sizes, weights and gradients, what a thread works in.
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

    int64_t rows() const { return cells * vertices; }
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

// done(row, column, sums) that writes what a bias and ReLU make of sums
template <class T>
auto rectified(const float* bias, int64_t width, typename T::Number* into) {
    return [=](int64_t row, int64_t column, Vector sums) {
        T::store(into + row * width + column, relu(sums + load(bias + column)));
    };
}

// done(row, column, gradient) that writes what of a gradient passes the ReLU of these outputs
template <class T>
auto passed(const typename T::Number* outputs, int64_t width, typename T::Number* into) {
    return [=](int64_t row, int64_t column, Vector gradient) {
        const int64_t place = row * width + column;
        T::store(into + place, through_relu(gradient, T::load(outputs + place)));
    };
}

// done(row, column) for each vector of rows
template <class Done>
void for_vectors(int64_t rows, int64_t width, const Done& done) {
    for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < width; column += LANES) done(row, column);
}

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

    void read_neighbours(const Sizes& sizes, const Number* neighbours_BVV, int64_t cells) {
        const int64_t vertices = sizes.vertices, words = words_of_a_row(sizes);
        for (int64_t row = 0; row < cells * vertices; ++row)
            for (int64_t k = 0; k < words; ++k) {
                const Number* pair = neighbours_BVV + row * vertices + k * T::PAIR;
                const bool second = k * T::PAIR + 1 < vertices;
                neighbours[row * words + k] = T::word(T::number(pair[0]), second ? T::number(pair[1]) : 0.0f);
            }
    }

    void read(const Sizes& sizes, const Number* neighbours_BVV, const Number* features_BVF, int64_t cells) {
        const int64_t rows = cells * sizes.vertices;
        read_neighbours(sizes, neighbours_BVV, cells);
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

int64_t cells_of(const Sizes& sizes, int64_t tile) {
    return std::min(sizes.tile_cells(), sizes.cells - tile * sizes.tile_cells());
}

}  // namespace
