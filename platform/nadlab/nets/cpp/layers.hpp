// What a GIN's layers h <- MLP(M h), M = A + A^T + I, are made of.
//
// Shapes: B cells, V vertices, R = B V rows, F features and H width (multiples of 16), L layers.

#pragma once

#include "products.hpp"

namespace {

constexpr int64_t TILE = 64;  // rows, about

struct Stack {
    int64_t cells, vertices, features, width, layers, mean, share, threads;

    int64_t fan_in(int64_t layer) const { return layer ? width : features; }
    int64_t tile_cells() const { return std::max<int64_t>(1, TILE / vertices); }
    int64_t tiles() const { return (cells + tile_cells() - 1) / tile_cells(); }
    int64_t numbers() const { return cells * vertices * width; }  // of one layer's output
};

// of a layer: weight (H, F) and bias (H,) of its first linear layer, (H, H) and (H,) of its second
template <class Numbers>
struct Weights {
    Numbers inner, inner_bias, outer, outer_bias;
};

// a tile's cells: where they and what belongs to them lie
struct Tile {
    int64_t first, cells, rows, above;

    Tile(const Stack& stack, int64_t tile)
        : first(tile * stack.tile_cells()), cells(std::min(stack.tile_cells(), stack.cells - first)),
          rows(cells * stack.vertices), above(first * stack.vertices) {}
};

// what a thread works in
struct Scratch {
    Array message, by_message, behind, within;
    std::vector<Weights<Array>> gradients;

    explicit Scratch(const Stack& stack, bool of_weights = false) {
        const int64_t rows = stack.tile_cells() * stack.vertices, numbers = rows * std::max(stack.features, stack.width);
        for (Array* each : {&message, &by_message, &behind, &within}) each->resize(numbers);
        for (int64_t layer = 0; of_weights && layer < stack.layers; ++layer)
            gradients.push_back({Array(stack.width * stack.fan_in(layer)), Array(stack.width),
                                 Array(stack.width * stack.width), Array(stack.width)});
    }
};

// done(row, column, sums) for M of each cell, or M^T, times its rows (V, columns)
template <class Done>
void aggregate(const Stack& stack, const Tile& tile, const float* aggregation, bool turned, const float* rows,
               int64_t columns, const Done& done) {
    const int64_t vertices = stack.vertices;
    for (int64_t cell = 0; cell < tile.cells; ++cell) {
        const int64_t above = cell * vertices;
        const float* own = aggregation + (tile.first + cell) * vertices * vertices;
        product({own, turned ? 1 : vertices, turned ? vertices : 1, rows + above * columns, columns, vertices}, vertices,
                columns, [&](int64_t row, int64_t column, Vector sums) { done(above + row, column, sums); });
    }
}

// done(row, column) for each vector of rows
template <class Done>
void for_vectors(int64_t rows, int64_t width, const Done& done) {
    for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < width; column += LANES) done(row, column);
}

// done(row, column, sums) that writes sums as they are, and what a bias and ReLU make of them
auto into(float* to, int64_t columns) {
    return [=](int64_t row, int64_t column, Vector sums) { store(to + row * columns + column, sums); };
}
auto rectified(const float* bias, int64_t width, float* to) {
    return [=](int64_t row, int64_t column, Vector sums) {
        store(to + row * width + column, relu(sums + load(bias + column)));
    };
}

// done(row, column, gradient) that writes what of a gradient passes the ReLU that put out `outputs`
auto passed(const float* outputs, int64_t width, float* to) {
    return [=](int64_t row, int64_t column, Vector gradient) {
        const int64_t place = row * width + column;
        store(to + place, through_relu(gradient, load(outputs + place)));
    };
}

}  // namespace
