// A linear layer, of rows in one or two parts, alone or with ReLU and a layer of one output; and its backward pass.
//
// Shapes: R rows, F inputs and E more of the second matrix, H outputs (a multiple of 16); S trials.

#pragma once

#include "products.hpp"

namespace {

struct LinearSizes {
    int64_t trials, rows, inputs, more, outputs, threads;

    int64_t fan_in() const { return inputs + more; }
    int64_t columns() const { return rounded(fan_in(), 16); }
    int64_t tiles() const { return (rows + TILE - 1) / TILE; }
    int64_t rows_of(int64_t tile) const { return std::min(TILE, rows - tile * TILE); }
};

// numbers (R, F) and more of them (R, E); without E, null
template <class Number>
struct Joined {
    const Number* rows;
    const float* more;

    // rows from `above` on as read_rows writes them, with `more` behind them
    template <class T>
    const typename T::Number* read(const LinearSizes& sizes, int64_t above, int64_t count, int64_t padded,
                                   typename T::Number* into) const {
        const int64_t inputs = sizes.inputs, columns = sizes.columns();
        const auto* read = rows_for<T>(rows + above * inputs, count, inputs, padded, columns, into);
        for (int64_t row = 0; row < count; ++row)
            for (int64_t column = 0; column < sizes.more; ++column)
                into[row * columns + inputs + column] = T::rounded(more[(above + row) * sizes.more + column]);
        return read;
    }
};

float sum_of(Vector numbers) {
    float sum = 0;
    for (int64_t lane = 0; lane < LANES; ++lane) sum += numbers[lane];
    return sum;
}

// With `last` (H,) and its bias the result is the ReLU's output, and scores (R,) what the second layer makes of it.
template <class T, class Number>
void linear_forward(const LinearSizes& sizes, const Joined<Number>& joined, const float* weight, const float* bias,
                    const float* last, const float* last_bias, float* result, float* scores) {
    const int64_t inputs = sizes.fan_in(), outputs = sizes.outputs, columns = sizes.columns();
    std::vector<Array<typename T::Number>> scratch(std::max<int64_t>(1, sizes.threads),
                                                   Array<typename T::Number>(TILE * columns));
    for (int64_t trial = 0; trial < sizes.trials; ++trial) {
        const auto words = transposed<T>(weight + trial * outputs * inputs, outputs, inputs);
        const float* own = bias + trial * outputs;
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
            const int64_t rows = sizes.rows_of(tile), above = trial * sizes.rows + tile * TILE;
            const auto* read = joined.template read<T>(sizes, above, rows, rows, scratch[thread].data());
            multiply<T>(read, rows, columns, words, outputs, [&](int64_t row, int64_t column, Vector sums) {
                sums += load(own + column);
                store(result + (above + row) * outputs + column, last ? relu(sums) : sums);
            });
            for (int64_t row = above; last && row < above + rows; ++row) {
                Vector sum{};
                for (int64_t column = 0; column < outputs; column += LANES)
                    sum += load(result + row * outputs + column) * load(last + trial * outputs + column);
                scores[row] = sum_of(sum) + last_bias[trial];
            }
        });
    }
}

template <class T>
struct LinearScratch {
    Array<typename T::Number> rows, behind;
    Paired<T> paired;
    Array<float> by_rows, by_weight, by_bias, by_last, by_last_bias;

    explicit LinearScratch(const LinearSizes& sizes)
        : rows(TILE * sizes.columns()),
          behind(TILE * sizes.outputs),
          paired{Array<typename T::Word>(TILE * sizes.outputs), Array<typename T::Word>(TILE * sizes.columns())},
          by_rows(TILE * sizes.columns()),
          by_weight(sizes.outputs * sizes.columns()),
          by_bias(sizes.outputs),
          by_last(sizes.outputs),
          by_last_bias(1) {}
};

template <class Number>
struct LinearGradients {
    Number* rows;
    float *more, *weight, *bias, *last, *last_bias;
};

// From the gradient of the result (R, H) or, with `last`, that of the scores (R,); those of the weights are asked for together.
template <class T, class Number>
void linear_backward(const LinearSizes& sizes, const Joined<Number>& joined, const float* weight, const float* last,
                     const float* result, const float* gradient, const LinearGradients<Number>& by) {
    const int64_t inputs = sizes.fan_in(), outputs = sizes.outputs, columns = sizes.columns();
    for (int64_t trial = 0; trial < sizes.trials; ++trial) {
        const auto words = natural<T>(weight + trial * outputs * inputs, outputs, inputs, columns);
        auto scratch = of_each_thread<LinearScratch<T>>(sizes);
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
            const int64_t rows = sizes.rows_of(tile), above = trial * sizes.rows + tile * TILE,
                          padded = rounded(rows, ROWS);
            LinearScratch<T>& own = scratch[thread];
            std::fill_n(own.behind.data(), padded * outputs, typename T::Number{});
            for (int64_t row = 0; row < rows; ++row) {
                float* by_last = own.by_last.data();
                if (last) own.by_last_bias[0] += gradient[above + row];
                for (int64_t column = 0; column < outputs; column += LANES) {
                    const int64_t place = (above + row) * outputs + column;
                    Vector behind;
                    if (last) {
                        const Vector after = load(result + place), by_score = Vector{} + gradient[above + row];
                        store(by_last + column, load(by_last + column) + by_score * after);
                        behind = through_relu(by_score * load(last + trial * outputs + column), after);
                    } else
                        behind = load(gradient + place);
                    T::store(own.behind.data() + row * outputs + column, behind);
                }
            }
            if (by.weight) {
                const auto* read = joined.template read<T>(sizes, above, rows, padded, own.rows.data());
                add_products<T>(own.paired, own.behind.data(), read, padded, outputs, columns, own.by_weight,
                                &own.by_bias);
            }
            if (!by.rows && !by.more) return;
            multiply<T>(own.behind.data(), rows, outputs, words, columns, [&](int64_t row, int64_t column, Vector sums) {
                store(own.by_rows.data() + row * columns + column, sums);
            });
            const float* both = own.by_rows.data();
            if (by.rows) write_rows<T>(both, rows, sizes.inputs, columns, by.rows + above * sizes.inputs);
            if (by.more) write_rows<T>(both + sizes.inputs, rows, sizes.more, columns, by.more + above * sizes.more);
        });
        if (!by.weight) continue;
        const auto write = [&](auto part, int64_t rows, int64_t all, int64_t kept, float* to) {
            write_sum(scratch, [&](const auto& own) -> const auto& { return own.*part; }, rows, all, kept, to);
        };
        write(&LinearScratch<T>::by_weight, outputs, columns, inputs, by.weight + trial * outputs * inputs);
        write(&LinearScratch<T>::by_bias, 1, outputs, outputs, by.bias + trial * outputs);
        if (!last) continue;
        write(&LinearScratch<T>::by_last, 1, outputs, outputs, by.last + trial * outputs);
        write(&LinearScratch<T>::by_last_bias, 1, 1, 1, by.last_bias + trial);
    }
}

}  // namespace
