// A GIN's layers h <- MLP(M h), M = A + A^T + I, and their backward pass, a tile of cells at a time: it goes through all layers
// while it lies in the cache.
//
// Shapes: B cells, V vertices, R = B V rows, F features and H width (multiples of 16), L layers. A tile's message is M h;
// `middle` and `output` are what the first and the second ReLU put out, `within` and `behind` the gradients before them.

#pragma once

#include "products.hpp"

namespace {

constexpr int64_t TILE = 64;  // rows, about

struct Stack {
    int64_t cells, vertices, features, width, layers, mean, threads;

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

// `saved` holds middle and output (R, H) of each layer in turn; null where no backward pass can come
void forward_tile(const Stack& stack, const std::vector<Weights<Array>>& weights, Scratch& scratch, const Tile& tile,
                  const float* aggregation, const float* features, float* result, float* saved) {
    const int64_t width = stack.width, vertices = stack.vertices;
    const float* before = features + tile.above * stack.features;
    for (int64_t layer = 0; layer < stack.layers; ++layer) {
        float* middle = saved ? saved + 2 * layer * stack.numbers() + tile.above * width : scratch.within.data();
        float* output = saved ? middle + stack.numbers() : scratch.behind.data();
        const int64_t inputs = stack.fan_in(layer);
        const auto& own = weights[layer];
        aggregate(stack, tile, aggregation, false, before, inputs, into(scratch.message.data(), inputs));
        multiply(scratch.message.data(), tile.rows, inputs, own.inner.data(), width,
                 rectified(own.inner_bias.data(), width, middle));
        multiply(middle, tile.rows, width, own.outer.data(), width, rectified(own.outer_bias.data(), width, output));
        before = output;
        if (stack.mean)
            for_vectors(tile.cells, width, [&](int64_t cell, int64_t column) {
                Vector sum{};
                for (int64_t row = cell * vertices; row < (cell + 1) * vertices; ++row)
                    sum += load(output + row * width + column);
                store(result + ((tile.first + cell) * stack.layers + layer) * width + column, sum / float(vertices));
            });
    }
    if (!stack.mean) std::copy_n(before, tile.rows * width, result + tile.above * width);
}

// add rows others^T of each cell, (V, V)
void add_by_aggregation(const Stack& stack, const Tile& tile, const float* rows, const float* others, int64_t columns,
                        float* by_aggregation) {
    const int64_t vertices = stack.vertices;
    for (int64_t row = 0; row < tile.rows; ++row)
        for (int64_t other = 0; other < vertices; ++other) {
            Vector sums{};
            const float* from = others + (row / vertices * vertices + other) * columns;
            for (int64_t column = 0; column < columns; column += LANES)
                sums += load(rows + row * columns + column) * load(from + column);
            float& sum = by_aggregation[(tile.above + row) * vertices + other];
            for (int64_t lane = 0; lane < LANES; ++lane) sum += sums[lane];
        }
}

// by_aggregation and by_features are null, and the scratch without gradients, where those are not wanted
void backward_tile(const Stack& stack, const std::vector<Weights<const float*>>& weights, Scratch& scratch,
                   const Tile& tile, const float* aggregation, const float* features, const float* saved,
                   const float* gradient, float* by_aggregation, float* by_features) {
    const int64_t width = stack.width, vertices = stack.vertices, rows = tile.rows;
    float *behind = scratch.behind.data(), *within = scratch.within.data(), *message = scratch.message.data(),
          *by_message = scratch.by_message.data();
    for (int64_t layer = stack.layers - 1; layer >= 0; --layer) {
        const float *middle = saved + 2 * layer * stack.numbers() + tile.above * width,
                    *output = middle + stack.numbers(),
                    *before = layer ? middle - stack.numbers() : features + tile.above * stack.features;
        const int64_t inputs = stack.fan_in(layer);
        const auto into_behind = [&](int64_t row, int64_t column, Vector by_output) {
            if (stack.mean)
                by_output += load(gradient + ((tile.first + row / vertices) * stack.layers + layer) * width + column) /
                             float(vertices);
            store(behind + row * width + column, through_relu(by_output, load(output + row * width + column)));
        };
        if (layer < stack.layers - 1)
            aggregate(stack, tile, aggregation, true, by_message, width, into_behind);
        else
            for_vectors(rows, width, [&](int64_t row, int64_t column) {
                into_behind(row, column,
                            stack.mean ? Vector{} : load(gradient + (tile.above + row) * width + column));
            });
        multiply(behind, rows, width, weights[layer].outer, width, [&](int64_t row, int64_t column, Vector by_middle) {
            const int64_t place = row * width + column;
            store(within + place, through_relu(by_middle, load(middle + place)));
        });
        if (!scratch.gradients.empty()) {
            auto& own = scratch.gradients[layer];
            add_products(behind, middle, rows, width, width, own.outer, own.outer_bias);
            aggregate(stack, tile, aggregation, false, before, inputs, into(message, inputs));
            add_products(within, message, rows, width, inputs, own.inner, own.inner_bias);
        }
        if (!layer && !by_features) return;
        multiply(within, rows, width, weights[layer].inner, inputs, into(by_message, inputs));
        if (by_aggregation) add_by_aggregation(stack, tile, by_message, before, inputs, by_aggregation);
    }
    aggregate(stack, tile, aggregation, true, by_message, stack.features,
              into(by_features + tile.above * stack.features, stack.features));
}

}  // namespace
