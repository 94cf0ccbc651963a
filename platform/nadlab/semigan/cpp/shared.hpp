// The first layer of cells in which few vertices hear different things, as in discrete cells: each thing once.
//
// The second layer's inner product is linear in what the first puts out, so it is taken before the neighbours are summed.
//
// Shapes: D different messages of R vertices.

#pragma once

#include "layers.hpp"

namespace {

constexpr int64_t MOST = 4096;  // different messages that stay in a cache

int64_t most_shared(const Sizes& sizes) { return rounded(std::min(sizes.rows() * 3 / 4, MOST), ROWS); }

// a trial's, in bytes that Python keeps for the backward pass
template <class T>
struct Shared {
    using Number = typename T::Number;
    int64_t* count = nullptr;     // D; 0: too many to share
    int32_t* which = nullptr;     // (R,): what each vertex hears
    Number* messages = nullptr;   // (D, F), and zeros up to a multiple of ROWS
    Number *middles = nullptr, *outputs = nullptr;  // (D, H)

    // without bytes none
    Shared(const Sizes& sizes, void* bytes, int64_t trial) {
        if (!bytes) return;
        char* at = static_cast<char*>(bytes) + trial * bytes_of(sizes);
        const auto take = [&](auto*& part, int64_t numbers) {
            part = reinterpret_cast<std::decay_t<decltype(part)>>(at);
            at += rounded(numbers * sizeof *part, 64);
        };
        take(count, 1);
        take(which, sizes.rows());
        take(messages, most_shared(sizes) * sizes.columns(0));
        take(middles, most_shared(sizes) * sizes.width);
        take(outputs, most_shared(sizes) * sizes.width);
    }

    // for the widest numbers
    static int64_t bytes_of(const Sizes& sizes) {
        return 64 + rounded(sizes.rows() * sizeof(int32_t), 64) +
               most_shared(sizes) * (sizes.columns(0) + 2 * sizes.width) * sizeof(float);
    }

    int64_t padded() const { return rounded(*count, ROWS); }
    explicit operator bool() const { return count && *count; }
};

uint64_t hash_of(const void* bytes, int64_t number) {
    uint64_t hash = 0;
    for (int64_t at = 0; at < number; at += sizeof hash) {
        uint64_t word;
        std::memcpy(&word, static_cast<const char*>(bytes) + at, sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15;
        hash ^= hash >> 32;
    }
    return hash;
}

// find the different messages, unless there are too many
template <class T, class Number = typename T::Number>
void find_shared(const Sizes& sizes, std::vector<Scratch<T>>& scratch, const Number* neighbours, const Number* features,
                 Shared<T>& shared) {
    const int64_t columns = sizes.columns(0), bytes = columns * sizeof(Number), most = most_shared(sizes);
    Array<Number> messages(sizes.rows() * columns);
    std::vector<uint64_t> hashes(sizes.rows());
    for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
        const int64_t first = tile * sizes.tile_cells(), cells = cells_of(sizes, tile), above = first * sizes.vertices;
        Scratch<T>& own = scratch[thread];
        own.read(sizes, neighbours + above * sizes.vertices, features + above * sizes.inputs, cells);
        own.mix(sizes, own.features.data(), cells, columns, [&](int64_t row, int64_t column, Vector sums) {
            T::store(messages.data() + (above + row) * columns + column, sums);
        });
        for (int64_t row = above; row < above + cells * sizes.vertices; ++row)
            hashes[row] = hash_of(messages.data() + row * columns, bytes);
    });
    int64_t slots = 64;
    while (slots < 2 * most) slots *= 2;
    std::vector<int32_t> table(slots, -1);
    int64_t& count = *shared.count = 0;
    for (int64_t row = 0; row < sizes.rows(); ++row) {
        const Number* message = messages.data() + row * columns;
        int64_t slot = hashes[row] & (slots - 1);
        while (table[slot] >= 0 && std::memcmp(shared.messages + table[slot] * columns, message, bytes))
            slot = (slot + 1) & (slots - 1);
        if (table[slot] < 0) {
            if (count == most) {
                count = 0;
                return;
            }
            std::copy_n(message, columns, shared.messages + count * columns);
            table[slot] = count++;
        }
        shared.which[row] = table[slot];
    }
    std::fill(shared.messages + count * columns, shared.messages + shared.padded() * columns, Number{});
}

// what the forward pass reads of the shared vertices of a tile, (D, H): their layer's output, and what the next one's inner
// layer makes of it, without bias
template <class T>
struct SharedRows {
    const int32_t* which;
    const typename T::Number *outputs, *next;

    const typename T::Number* output(int64_t row, int64_t width) const { return outputs + which[row] * width; }
    void read_next(int64_t rows, int64_t width, typename T::Number* into) const {
        for (int64_t row = 0; row < rows; ++row) std::copy_n(next + which[row] * width, width, into + row * width);
    }
};

template <class T>
void forward_shared(const Sizes& sizes, const std::vector<Weights<T>>& weights, Shared<T>& shared,
                    Array<typename T::Number>& next) {
    const int64_t width = sizes.width, inputs = sizes.columns(0), tile_rows = sizes.tile_rows();
    if (sizes.layers > 1) next.resize(shared.padded() * width);
    for_tiles((*shared.count + tile_rows - 1) / tile_rows, sizes.threads, [&](int64_t, int64_t tile) {
        const int64_t above = tile * tile_rows, rows = std::min(tile_rows, shared.padded() - above);
        auto *middles = shared.middles + above * width, *outputs = shared.outputs + above * width;
        multiply<T>(shared.messages + above * inputs, rows, inputs, weights[0].inner, width,
                    rectified<T>(weights[0].inner_bias, width, middles));
        multiply<T>(middles, rows, width, weights[0].outer, width, rectified<T>(weights[0].outer_bias, width, outputs));
        if (sizes.layers > 1)
            multiply<T>(outputs, rows, width, weights[1].inner, width, [&](int64_t row, int64_t column, Vector sums) {
                T::store(next.data() + (above + row) * width + column, sums);
            });
    });
}

// sums over the vertices that hear the same, (D, H): of the gradient of the layer's output from its mean, and of what reaches the
// inner layer of the next one
struct SharedSums {
    Array<float> by_output, by_next;

    SharedSums(const Sizes& sizes, int64_t padded)
        : by_output(padded * sizes.width), by_next(sizes.layers > 1 ? padded * sizes.width : 0) {}
};

// add to the gradients of the first layer and of the second one's inner weights
template <class T>
void backward_shared(const Sizes& sizes, const std::vector<Weights<T>>& weights, std::vector<Scratch<T>>& scratch,
                     const Shared<T>& shared, const std::vector<SharedSums>& sums, std::vector<Gradients>& gradients) {
    const int64_t width = sizes.width, inputs = sizes.columns(0), tile_rows = sizes.tile_rows();
    for_tiles((*shared.count + tile_rows - 1) / tile_rows, sizes.threads, [&](int64_t thread, int64_t tile) {
        const int64_t above = tile * tile_rows, rows = std::min(tile_rows, shared.padded() - above);
        Scratch<T>& own = scratch[thread];
        std::vector<LayerGradients>& layers = gradients[thread].layers;
        auto *by_next = own.message.data(), *behind = own.behind.data(), *within = own.within.data();
        const auto *middles = shared.middles + above * width, *outputs = shared.outputs + above * width;
        const auto of_threads = [&](Array<float> SharedSums::*part, int64_t row, int64_t column) {
            Vector sum{};
            for (const SharedSums& thread : sums) sum += load((thread.*part).data() + (above + row) * width + column);
            return sum;
        };
        const auto into_behind = [&](int64_t row, int64_t column, Vector by_output) {
            passed<T>(outputs, width, behind)(row, column, by_output + of_threads(&SharedSums::by_output, row, column));
        };
        if (sizes.layers > 1) {
            for_vectors(rows, width, [&](int64_t row, int64_t column) {
                T::store(by_next + row * width + column, of_threads(&SharedSums::by_next, row, column));
            });
            add_products<T>(own.paired, by_next, outputs, rows, width, width, layers[1].inner, nullptr);
            multiply<T>(by_next, rows, width, weights[1].inner, width, into_behind);
        } else
            for_vectors(rows, width, [&](int64_t row, int64_t column) { into_behind(row, column, Vector{}); });
        add_products<T>(own.paired, behind, middles, rows, width, width, layers[0].outer, &layers[0].outer_bias);
        multiply<T>(behind, rows, width, weights[0].outer, width, passed<T>(middles, width, within));
        add_products<T>(own.paired, within, shared.messages + above * inputs, rows, width, inputs, layers[0].inner,
                        &layers[0].inner_bias);
    });
}

}  // namespace
