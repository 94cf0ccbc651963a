// A GIN's layers and their backward pass, a tile of cells at a time: it goes through all layers while it lies in the cache.
//
// A tile's message is M h; `middle` and `output` are what the first and the second ReLU put out, `within` and `behind` the
// gradients before them.

#pragma once

#include "shared.hpp"

namespace {

void gather(const Shared& shared, const Tile& tile, const float* rows, int64_t width, float* to) {
    for (int64_t row = 0; row < tile.rows; ++row)
        std::copy_n(rows + shared.which[tile.above + row] * width, width, to + row * width);
}

// `saved` holds middle and output (R, H) of each layer in turn; null where no backward pass can come. Of what is shared, `next` is
// what `forward_shared` returned
void forward_tile(const Stack& stack, const std::vector<Weights<Array>>& weights, Scratch& scratch, const Tile& tile,
                  const float* aggregation, const float* features, float* result, float* saved, const Shared& shared,
                  const Array& next) {
    const int64_t width = stack.width, vertices = stack.vertices;
    const float* before = features + tile.above * stack.features;
    for (int64_t layer = 0; layer < stack.layers; ++layer) {
        float* middle = saved ? saved + 2 * layer * stack.numbers() + tile.above * width : scratch.within.data();
        float* output = saved ? middle + stack.numbers() : scratch.behind.data();
        const int64_t inputs = stack.fan_in(layer);
        const auto& own = weights[layer];
        const auto inner = rectified(own.inner_bias.data(), width, middle);
        if (shared && layer == 0)
            gather(shared, tile, shared.outputs, width, output = scratch.behind.data());
        else {
            if (shared && layer == 1) {
                gather(shared, tile, next.data(), width, scratch.message.data());
                aggregate(stack, tile, aggregation, false, scratch.message.data(), width, inner);
            } else {
                aggregate(stack, tile, aggregation, false, before, inputs, into(scratch.message.data(), inputs));
                multiply(scratch.message.data(), tile.rows, inputs, own.inner.data(), width, inner);
            }
            multiply(middle, tile.rows, width, own.outer.data(), width, rectified(own.outer_bias.data(), width, output));
        }
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

// by_aggregation and by_features are null, and the scratch without gradients, where those are not wanted; `sums` is null where
// nothing is shared
void backward_tile(const Stack& stack, const std::vector<Weights<const float*>>& weights, Scratch& scratch,
                   const Tile& tile, const float* aggregation, const float* features, const float* saved,
                   const float* gradient, float* by_aggregation, float* by_features, const Shared& shared,
                   SharedSums* sums) {
    const int64_t width = stack.width, vertices = stack.vertices, rows = tile.rows;
    float *behind = scratch.behind.data(), *within = scratch.within.data(), *message = scratch.message.data(),
          *by_message = scratch.by_message.data();
    const auto share_of_mean = [&](int64_t row, int64_t layer, int64_t column) {
        return load(gradient + ((tile.first + row / vertices) * stack.layers + layer) * width + column) / float(vertices);
    };
    const auto add_to = [&](Array& sum, int64_t row, int64_t column, Vector numbers) {
        add(sum.data() + shared.which[tile.above + row] * width + column, numbers);
    };
    for (int64_t layer = stack.layers - 1; layer >= 0; --layer) {
        const float *middle = saved + 2 * layer * stack.numbers() + tile.above * width,
                    *output = middle + stack.numbers(),
                    *before = layer ? middle - stack.numbers() : features + tile.above * stack.features;
        const int64_t inputs = stack.fan_in(layer);
        const auto into_behind = [&](int64_t row, int64_t column, Vector by_output) {
            if (stack.mean) by_output += share_of_mean(row, layer, column);
            passed(output, width, behind)(row, column, by_output);
        };
        if (layer < stack.layers - 1)
            aggregate(stack, tile, aggregation, true, by_message, width, into_behind);
        else
            for_vectors(rows, width, [&](int64_t row, int64_t column) {
                into_behind(row, column,
                            stack.mean ? Vector{} : load(gradient + (tile.above + row) * width + column));
            });
        multiply(behind, rows, width, weights[layer].outer, width, passed(middle, width, within));
        if (!scratch.gradients.empty()) {
            auto& own = scratch.gradients[layer];
            add_products(behind, middle, rows, width, width, own.outer, &own.outer_bias);
            if (sums && layer == 1) {
                add_sums(within, rows, width, own.inner_bias);
                aggregate(stack, tile, aggregation, true, within, width, [&](int64_t row, int64_t column, Vector by) {
                    add_to(sums->by_next, row, column, by);
                    add_to(sums->by_output, row, column, share_of_mean(row, 0, column));
                });
                return;
            }
            aggregate(stack, tile, aggregation, false, before, inputs, into(message, inputs));
            add_products(within, message, rows, width, inputs, own.inner, &own.inner_bias);
        }
        if (!layer && !by_features) return;
        multiply(within, rows, width, weights[layer].inner, inputs, into(by_message, inputs));
        if (by_aggregation) add_by_aggregation(stack, tile, by_message, before, inputs, by_aggregation);
    }
    aggregate(stack, tile, aggregation, true, by_message, stack.features,
              into(by_features + tile.above * stack.features, stack.features));
}

}  // namespace
