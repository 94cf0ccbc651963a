// A linear layer, with its ReLU where it has one, and its backward pass.
//
// Shapes: R rows, F inputs, H outputs (a multiple of 16); S trials.

#pragma once

#include "products.hpp"

namespace {

struct LinearSizes {
    int64_t trials, rows, inputs, outputs, rectified, threads;

    int64_t columns() const { return rounded(inputs, 16); }
    int64_t tiles() const { return (rows + TILE - 1) / TILE; }
    int64_t rows_of(int64_t tile) const { return std::min(TILE, rows - tile * TILE); }
};

template <class T, class Number>
void linear_forward(const LinearSizes& sizes, const Number* rows_RF, const float* weight, const float* bias,
                    float* result) {
    const int64_t inputs = sizes.inputs, outputs = sizes.outputs, columns = sizes.columns();
    std::vector<Array<typename T::Number>> scratch(std::max<int64_t>(1, sizes.threads),
                                                   Array<typename T::Number>(TILE * columns));
    for (int64_t trial = 0; trial < sizes.trials; ++trial) {
        const auto words = transposed<T>(weight + trial * outputs * inputs, outputs, inputs);
        const float* own = bias + trial * outputs;
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
            const int64_t rows = sizes.rows_of(tile), above = trial * sizes.rows + tile * TILE;
            const auto* read = rows_for<T>(rows_RF + above * inputs, rows, inputs, rows, columns, scratch[thread].data());
            product<T>({as_words<T>(read), columns / T::PAIR, 1, words.data(), outputs,
                        (inputs + T::PAIR - 1) / T::PAIR},
                       rows, outputs, [&](int64_t row, int64_t column, Vector sums) {
                           sums += load(own + column);
                           store(result + (above + row) * outputs + column, sizes.rectified ? relu(sums) : sums);
                       });
        });
    }
}

template <class T>
struct LinearScratch {
    Array<typename T::Number> rows, behind;
    Paired<T> paired;
    Array<float> by_rows, by_weight, by_bias;

    explicit LinearScratch(const LinearSizes& sizes)
        : rows(TILE * sizes.columns()),
          behind(TILE * sizes.outputs),
          paired{Array<typename T::Word>(TILE * sizes.outputs), Array<typename T::Word>(TILE * sizes.columns())},
          by_rows(TILE * sizes.columns()),
          by_weight(sizes.outputs * sizes.columns()),
          by_bias(sizes.outputs) {}
};

template <class T, class Number>
void linear_backward(const LinearSizes& sizes, const Number* rows_RF, const float* weight, const float* result,
                     const float* gradient, Number* by_rows, float* by_weight, float* by_bias) {
    const int64_t inputs = sizes.inputs, outputs = sizes.outputs, columns = sizes.columns();
    for (int64_t trial = 0; trial < sizes.trials; ++trial) {
        const auto words = natural<T>(weight + trial * outputs * inputs, outputs, inputs, columns);
        std::vector<LinearScratch<T>> scratch(std::max<int64_t>(1, sizes.threads), LinearScratch<T>(sizes));
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
            const int64_t rows = sizes.rows_of(tile), above = trial * sizes.rows + tile * TILE,
                          padded = rounded(rows, ROWS);
            LinearScratch<T>& own = scratch[thread];
            std::fill_n(own.behind.data(), padded * outputs, typename T::Number{});
            for (int64_t place = 0; place < rows * outputs; place += LANES) {
                const Vector behind = load(gradient + above * outputs + place);
                T::store(own.behind.data() + place,
                         sizes.rectified ? through_relu(behind, load(result + above * outputs + place)) : behind);
            }
            if (by_weight) {
                const auto* read =
                    rows_for<T>(rows_RF + above * inputs, rows, inputs, padded, columns, own.rows.data());
                add_products<T>(own.paired, own.behind.data(), read, padded, outputs, columns, own.by_weight,
                                own.by_bias);
            }
            if (!by_rows) return;
            product<T>({as_words<T>(own.behind.data()), outputs / T::PAIR, 1, words.data(), columns, outputs / T::PAIR},
                       rows, columns, [&](int64_t row, int64_t column, Vector sums) {
                           store(own.by_rows.data() + row * columns + column, sums);
                       });
            write_rows<T>(own.by_rows.data(), rows, inputs, columns, by_rows + above * inputs);
        });
        if (!by_weight) continue;
        const auto write = [&](auto part, int64_t rows, int64_t all, int64_t kept, float* to) {
            write_sum(scratch, [&](const auto& own) -> const auto& { return own.*part; }, rows, all, kept, to);
        };
        write(&LinearScratch<T>::by_weight, outputs, columns, inputs, by_weight + trial * outputs * inputs);
        write(&LinearScratch<T>::by_bias, 1, outputs, outputs, by_bias + trial * outputs);
    }
}

}  // namespace
