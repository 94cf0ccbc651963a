// What Python calls (accelerator.py); weights are those of each layer in turn (`Weights`).

#include "gin.hpp"

extern "C" {

void gin_forward(const Stack* stack, const float* aggregation, const float* features, const float* const* weights,
                 float* result, float* saved) {
    const int64_t width = stack->width;
    std::vector<Weights<Array>> layers;
    for (int64_t layer = 0; layer < stack->layers; ++layer) {
        const float* const* own = weights + 4 * layer;
        layers.push_back({transposed(own[0], width, stack->fan_in(layer)), Array(own[1], own[1] + width),
                          transposed(own[2], width, width), Array(own[3], own[3] + width)});
    }
    Shared shared(*stack, saved);
    Array next;
    if (saved) saved[2 * stack->layers * stack->numbers()] = 0;  // nothing is shared
    if (shared.count) find_shared(*stack, aggregation, features, shared);
    if (shared) next = forward_shared(*stack, layers, shared);
    std::vector<Scratch> scratch(std::max<int64_t>(1, stack->threads), Scratch(*stack));
    for_tiles(stack->tiles(), stack->threads, [&](int64_t thread, int64_t tile) {
        forward_tile(*stack, layers, scratch[thread], Tile(*stack, tile), aggregation, features, result, saved, shared, next);
    });
}

// of the results those are written that are not null; by_aggregation must be zero before
void gin_backward(const Stack* stack, const float* aggregation, const float* features, const float* const* weights,
                  float* saved, const float* gradient, float* by_aggregation, float* by_features, float* const* by_weights) {
    std::vector<Weights<const float*>> layers;
    for (int64_t layer = 0; layer < stack->layers; ++layer) {
        const float* const* own = weights + 4 * layer;
        layers.push_back({own[0], own[1], own[2], own[3]});
    }
    std::vector<Scratch> scratch(std::max<int64_t>(1, stack->threads), Scratch(*stack, by_weights));
    const Shared shared(*stack, saved);
    const Array zeros(shared ? *shared.count * stack->width : 0);
    std::vector<SharedSums> sums(scratch.size(), {zeros, zeros});
    for_tiles(stack->tiles(), stack->threads, [&](int64_t thread, int64_t tile) {
        backward_tile(*stack, layers, scratch[thread], Tile(*stack, tile), aggregation, features, saved, gradient,
                      by_aggregation, by_features, shared, shared ? &sums[thread] : nullptr);
    });
    if (shared) backward_shared(*stack, layers, scratch, shared, sums);
    for (int64_t layer = 0; by_weights && layer < stack->layers; ++layer) {
        const auto write = [&](Array Weights<Array>::*part, float* to) {
            const auto& first = scratch[0].gradients[layer].*part;
            std::copy(first.begin(), first.end(), to);
            for (size_t thread = 1; thread < scratch.size(); ++thread)
                for (size_t place = 0; place < first.size(); ++place)
                    to[place] += (scratch[thread].gradients[layer].*part)[place];
        };
        float* const* own = by_weights + 4 * layer;
        write(&Weights<Array>::inner, own[0]);
        write(&Weights<Array>::inner_bias, own[1]);
        write(&Weights<Array>::outer, own[2]);
        write(&Weights<Array>::outer_bias, own[3]);
    }
}
}
