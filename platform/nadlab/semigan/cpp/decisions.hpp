// AG's decisions about a cell, taken in turn (choices.py), and their backward pass, a tile of cells at a time.
//
// Before each decision ReLU(state) is multiplied with its weights; what is chosen is added to the state of the next.
// Shapes: B cells, G decisions of C choices each, H numbers of the state (a multiple of 16); S trials.

#pragma once

#include <cmath>

#include "products.hpp"

namespace {

constexpr int64_t DECIDED = 16;  // cells of a tile: the states before all of their decisions stay in the cache

struct DecisionSizes {
    int64_t trials, cells, decisions, choices, width, threads;

    int64_t columns() const { return rounded(choices, 16); }
    int64_t tiles() const { return (cells + DECIDED - 1) / DECIDED; }
    int64_t cells_of(int64_t tile) const { return std::min(DECIDED, cells - tile * DECIDED); }
};

// (G, H, C) as rows of full vectors
Array<float> filled(const DecisionSizes& sizes, const float* weights) {
    const int64_t rows = sizes.decisions * sizes.width, columns = sizes.columns();
    Array<float> full(rows * columns);
    read_rows<Float32>(weights, rows, sizes.choices, rows, columns, full.data());
    return full;
}

void add_row(float* into, const float* row, int64_t width) {
    for (int64_t column = 0; column < width; column += LANES) store(into + column, load(into + column) + load(row + column));
}

void rectified_rows(const float* rows, int64_t numbers, float* into) {
    for (int64_t place = 0; place < numbers; place += LANES) store(into + place, relu(load(rows + place)));
}

struct Chosen {
    int64_t place;  // of the largest
    float log_sum;  // logarithm of the sum of exp(logits)
};

// write softmax(logits) to `soft`
Chosen softmax(const float* logits, int64_t choices, float* soft) {
    const int64_t place = std::max_element(logits, logits + choices) - logits;
    float sum = 0;
    for (int64_t choice = 0; choice < choices; ++choice) sum += soft[choice] = std::exp(logits[choice] - logits[place]);
    for (int64_t choice = 0; choice < choices; ++choice) soft[choice] /= sum;
    return {place, logits[place] + std::log(sum)};
}

// With noise (B, G, C) choose, one-hot (B, G, C); without, write the log-likelihoods (B,) of what is chosen.
void decide(const DecisionSizes& sizes, const float* features, const float* noise, const float* weights,
            const float* bias, const float* memory, float* chosen, float* soft, float* likelihoods) {
    const int64_t width = sizes.width, choices = sizes.choices, columns = sizes.columns(), count = sizes.decisions,
                  of_a_cell = count * choices;
    for (int64_t trial = 0; trial < sizes.trials; ++trial) {
        const Array<float> right = filled(sizes, weights + trial * of_a_cell * width);
        const float *own_bias = bias + trial * of_a_cell, *own_memory = memory + trial * of_a_cell * width;
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t, int64_t tile) {
            const int64_t first = trial * sizes.cells + tile * DECIDED, cells = sizes.cells_of(tile);
            Array<float> state(features + first * width, features + (first + cells) * width), hidden(cells * width),
                logits(cells * columns);
            if (!noise) std::fill_n(likelihoods + first, cells, 0.0f);
            for (int64_t decision = 0; decision < count; ++decision) {
                rectified_rows(state.data(), cells * width, hidden.data());
                product<Float32>({hidden.data(), width, 1, right.data() + decision * width * columns, columns, width},
                                 cells, columns, [&](int64_t row, int64_t column, Vector sums) {
                                     store(logits.data() + row * columns + column, sums);
                                 });
                for (int64_t cell = 0; cell < cells; ++cell) {
                    const int64_t at = (first + cell) * of_a_cell + decision * choices;
                    float* own = logits.data() + cell * columns;
                    for (int64_t choice = 0; choice < choices; ++choice) {
                        own[choice] += own_bias[decision * choices + choice];
                        if (noise) own[choice] += noise[at + choice];
                    }
                    const Chosen drawn = softmax(own, choices, soft + at);
                    int64_t place = drawn.place;
                    if (noise) {
                        std::fill_n(chosen + at, choices, 0.0f);
                        chosen[at + place] = 1;
                    } else {
                        place = std::max_element(chosen + at, chosen + at + choices) - (chosen + at);
                        likelihoods[first + cell] += own[place] - drawn.log_sum;
                    }
                    add_row(state.data() + cell * width, own_memory + (decision * choices + place) * width, width);
                }
            }
        });
    }
}

struct DecisionGradients {
    Array<float> weights, bias, memory;  // (G, C, H), (G, C), (G, C, H)
};

// From the gradient of the choices (B, G, C), straight through as if they were `soft`, or of the likelihoods (B,).
void decide_backward(const DecisionSizes& sizes, const float* features, const float* weights, const float* memory,
                     const float* chosen, const float* soft, const float* by_chosen, const float* by_likelihoods,
                     float* by_features, float* by_weights, float* by_bias, float* by_memory) {
    const int64_t width = sizes.width, choices = sizes.choices, columns = sizes.columns(), count = sizes.decisions,
                  of_a_cell = count * choices, threads = std::max<int64_t>(1, sizes.threads);
    for (int64_t trial = 0; trial < sizes.trials; ++trial) {
        const float* own_memory = memory + trial * of_a_cell * width;
        const Array<float> turned_weights = turned(weights + trial * of_a_cell * width, count, width, choices, width);
        Array<float> turned_memory;
        if (by_chosen) turned_memory = turned(own_memory, count, choices, width, columns);
        std::vector<DecisionGradients> gradients(
            threads, {Array<float>(of_a_cell * width), Array<float>(of_a_cell), Array<float>(of_a_cell * width)});
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
            const int64_t first = trial * sizes.cells + tile * DECIDED, cells = sizes.cells_of(tile),
                          numbers = cells * width;
            DecisionGradients& own = gradients[thread];
            Array<float> state(features + first * width, features + (first + cells) * width), hidden(count * numbers),
                by_state(numbers), by_logits(cells * columns);
            const auto place_of = [&](int64_t cell, int64_t decision) {
                const float* from = chosen + (first + cell) * of_a_cell + decision * choices;
                return decision * choices + (std::max_element(from, from + choices) - from);
            };
            for (int64_t decision = 0; decision < count; ++decision) {
                rectified_rows(state.data(), numbers, hidden.data() + decision * numbers);
                for (int64_t cell = 0; cell < cells; ++cell)
                    add_row(state.data() + cell * width, own_memory + place_of(cell, decision) * width, width);
            }
            for (int64_t decision = count - 1; decision >= 0; --decision) {
                const float* before = hidden.data() + decision * numbers;
                if (by_chosen)
                    product<Float32>(
                        {by_state.data(), width, 1, turned_memory.data() + decision * width * columns, columns, width},
                        cells, columns, [&](int64_t row, int64_t column, Vector sums) {
                            store(by_logits.data() + row * columns + column, sums);
                        });
                for (int64_t cell = 0; cell < cells; ++cell) {
                    add_row(own.memory.data() + place_of(cell, decision) * width, by_state.data() + cell * width, width);
                    const int64_t at = (first + cell) * of_a_cell + decision * choices;
                    float* into = by_logits.data() + cell * columns;
                    float mean = 0;
                    for (int64_t choice = 0; by_chosen && choice < choices; ++choice)
                        mean += soft[at + choice] * (into[choice] += by_chosen[at + choice]);
                    for (int64_t choice = 0; choice < choices; ++choice) {
                        into[choice] = by_chosen ? soft[at + choice] * (into[choice] - mean)
                                                 : by_likelihoods[first + cell] * (chosen[at + choice] - soft[at + choice]);
                        own.bias[decision * choices + choice] += into[choice];
                    }
                }
                product<Float32>({by_logits.data(), 1, columns, before, width, cells}, choices, width,
                                 [&](int64_t row, int64_t column, Vector sums) {
                                     float* into = own.weights.data() + (decision * choices + row) * width + column;
                                     store(into, load(into) + sums);
                                 });
                product<Float32>({by_logits.data(), columns, 1, turned_weights.data() + decision * choices * width, width,
                                  choices},
                                 cells, width, [&](int64_t row, int64_t column, Vector sums) {
                                     const int64_t place = row * width + column;
                                     store(by_state.data() + place,
                                           load(by_state.data() + place) + through_relu(sums, load(before + place)));
                                 });
            }
            std::copy_n(by_state.data(), numbers, by_features + first * width);
        });
        const auto sum = [&](auto part, int64_t numbers, float* into) {
            write_sum(gradients, [&](const auto& own) -> const auto& { return own.*part; }, 1, numbers, numbers, into);
        };
        Array<float> of_weights(of_a_cell * width);
        sum(&DecisionGradients::weights, of_a_cell * width, of_weights.data());
        const Array<float> back = turned(of_weights.data(), count, choices, width, choices);
        std::copy(back.begin(), back.end(), by_weights + trial * of_a_cell * width);
        sum(&DecisionGradients::bias, of_a_cell, by_bias + trial * of_a_cell);
        sum(&DecisionGradients::memory, of_a_cell * width, by_memory + trial * of_a_cell * width);
    }
}

}  // namespace
