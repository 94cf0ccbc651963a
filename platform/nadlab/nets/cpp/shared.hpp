// The first layer of discrete cells, few of whose vertices differ in their message: each message is taken once.
//
// The second layer's first product is linear in what the first layer puts out, so it is taken before the neighbours are
// summed; in the backward pass gradients are summed over the vertices of a message before they are multiplied.
//
// Shapes: D different messages of R vertices, D <= R / 2.

#pragma once

#include <cstring>

#include "layers.hpp"

namespace {

// lies in `saved` where middle and output of the first layer would, (R, H) each
struct Shared {
    float *middles = nullptr, *messages = nullptr, *outputs = nullptr;  // (D, H), (D, F), (D, H)
    int32_t* which = nullptr;                                           // (R,): the message of each vertex
    int32_t* count = nullptr;                                           // D, behind all layers; 0: too many to share

    static int64_t most(const Stack& stack) { return stack.cells * stack.vertices / 2; }

    Shared(const Stack& stack, float* saved) {
        if (!stack.share || stack.layers < 2 || stack.features > stack.width || !most(stack)) return;
        middles = saved, messages = middles + most(stack) * stack.width;
        outputs = saved + stack.numbers(), which = reinterpret_cast<int32_t*>(outputs + most(stack) * stack.width);
        count = reinterpret_cast<int32_t*>(saved + 2 * stack.layers * stack.numbers());
    }

    explicit operator bool() const { return count && *count; }
};

uint64_t hash_of(const float* numbers, int64_t count) {
    uint64_t hash = 0;
    for (int64_t at = 0; at < count; at += 2) {
        uint64_t word;
        std::memcpy(&word, numbers + at, sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15;
        hash ^= hash >> 32;
    }
    return hash;
}

// find the different messages, unless there are too many
void find_shared(const Stack& stack, const float* aggregation, const float* features, Shared& shared) {
    const int64_t inputs = stack.features, rows = stack.cells * stack.vertices;
    Array messages(rows * inputs);
    for_tiles(stack.tiles(), stack.threads, [&](int64_t, int64_t number) {
        const Tile tile(stack, number);
        aggregate(stack, tile, aggregation, false, features + tile.above * inputs, inputs,
                  into(messages.data() + tile.above * inputs, inputs));
    });
    int64_t slots = 64;
    while (slots < rows) slots *= 2;
    std::vector<int32_t> table(slots, -1);
    int32_t& count = *shared.count = 0;
    for (int64_t row = 0; row < rows; ++row) {
        const float* message = messages.data() + row * inputs;
        int64_t slot = hash_of(message, inputs) & (slots - 1);
        while (table[slot] >= 0 && std::memcmp(shared.messages + table[slot] * inputs, message, inputs * sizeof *message))
            slot = (slot + 1) & (slots - 1);
        if (table[slot] < 0) {
            if (count == Shared::most(stack)) {
                count = 0;
                return;
            }
            std::copy_n(message, inputs, shared.messages + count * inputs);
            table[slot] = count++;
        }
        shared.which[row] = table[slot];
    }
}

// each(thread, above, rows) for pieces of the different messages
template <class Each>
void for_messages(const Stack& stack, const Shared& shared, const Each& each) {
    for_tiles((*shared.count + TILE - 1) / TILE, stack.threads, [&](int64_t thread, int64_t tile) {
        each(thread, tile * TILE, std::min(TILE, *shared.count - tile * TILE));
    });
}

// take the first layer, and return what the second one's first weights make of its outputs, (D, H)
Array forward_shared(const Stack& stack, const std::vector<Weights<Array>>& weights, Shared& shared) {
    const int64_t width = stack.width, inputs = stack.features;
    Array next(*shared.count * width);
    for_messages(stack, shared, [&](int64_t, int64_t above, int64_t rows) {
        float *middles = shared.middles + above * width, *outputs = shared.outputs + above * width;
        multiply(shared.messages + above * inputs, rows, inputs, weights[0].inner.data(), width,
                 rectified(weights[0].inner_bias.data(), width, middles));
        multiply(middles, rows, width, weights[0].outer.data(), width,
                 rectified(weights[0].outer_bias.data(), width, outputs));
        multiply(outputs, rows, width, weights[1].inner.data(), width, into(next.data() + above * width, width));
    });
    return next;
}

// sums of gradients over the vertices of a message, (D, H): of its mean's share, and before the second layer's first weights
struct SharedSums {
    Array by_output, by_next;
};

// add to the gradients of the first layer's weights and of the second one's first
void backward_shared(const Stack& stack, const std::vector<Weights<const float*>>& weights,
                     std::vector<Scratch>& scratch, const Shared& shared, std::vector<SharedSums>& sums) {
    const int64_t width = stack.width, inputs = stack.features;
    for_messages(stack, shared, [&](int64_t thread, int64_t above, int64_t rows) {
        auto& own = scratch[thread];
        const float *middles = shared.middles + above * width, *outputs = shared.outputs + above * width;
        float *by_next = sums[0].by_next.data() + above * width, *by_output = sums[0].by_output.data() + above * width;
        for (size_t other = 1; other < sums.size(); ++other)
            for_vectors(rows, width, [&](int64_t row, int64_t column) {
                const int64_t place = row * width + column;
                add(by_next + place, load(sums[other].by_next.data() + above * width + place));
                add(by_output + place, load(sums[other].by_output.data() + above * width + place));
            });
        add_products(by_next, outputs, rows, width, width, own.gradients[1].inner, nullptr);
        multiply(by_next, rows, width, weights[1].inner, width, [&](int64_t row, int64_t column, Vector by) {
            const int64_t place = row * width + column;
            store(by_output + place, through_relu(by + load(by_output + place), load(outputs + place)));
        });
        add_products(by_output, middles, rows, width, width, own.gradients[0].outer, &own.gradients[0].outer_bias);
        multiply(by_output, rows, width, weights[0].outer, width, passed(middles, width, by_next));
        add_products(by_next, shared.messages + above * inputs, rows, width, inputs, own.gradients[0].inner,
                     &own.gradients[0].inner_bias);
    });
}

}  // namespace
