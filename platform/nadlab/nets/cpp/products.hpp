// Products of small float32 matrices whose sums stay in registers and whose factors stay in a core's cache.

#pragma once

#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int64_t LANES = 16, VECTORS = 4;
#elif defined(__AVX__)
constexpr int64_t LANES = 8, VECTORS = 2;
#else
constexpr int64_t LANES = 4, VECTORS = 2;
#endif
constexpr int64_t ROWS = 4;  // of a block: ROWS times VECTORS sums stay in registers

typedef float Vector __attribute__((vector_size(LANES * 4)));
typedef float Unaligned __attribute__((vector_size(LANES * 4), aligned(4), may_alias));  // as it lies in memory

// a vector that crosses cache lines takes two loads
template <class T>
struct Aligned {
    using value_type = T;
    static constexpr std::align_val_t BYTES{64};
    Aligned() = default;
    template <class Other>
    Aligned(const Aligned<Other>&) {}
    T* allocate(size_t number) { return static_cast<T*>(::operator new(number * sizeof(T), BYTES)); }
    void deallocate(T* numbers, size_t) { ::operator delete(numbers, BYTES); }
    template <class Other>
    bool operator==(const Aligned<Other>&) const { return true; }
    template <class Other>
    bool operator!=(const Aligned<Other>&) const { return false; }
};

using Array = std::vector<float, Aligned<float>>;

// so that the compiler does not load it again for each use: loads, not products, would be the limit
inline Vector in_register(Vector value) {
#if defined(__x86_64__)
    asm("" : "+v"(value));
#elif defined(__aarch64__)
    asm("" : "+w"(value));
#endif
    return value;
}

Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
void store(float* to, Vector numbers) { *reinterpret_cast<Unaligned*>(to) = numbers; }
void add(float* to, Vector numbers) { store(to, load(to) + numbers); }
Vector relu(Vector numbers) { return numbers < 0.0f ? Vector{} : numbers; }  // keeps what is not a number
Vector through_relu(Vector gradient, Vector output) { return output <= 0.0f ? Vector{} : gradient; }

// left[row][k] lies at row * row_step + k * step, right[k][column] at k * right_step + column
struct Factors {
    const float* left;
    int64_t row_step, step;
    const float* right;
    int64_t right_step;
    int64_t depth;
};

template <int M, int N, class Done>
inline void block(const Factors& factors, int64_t row, int64_t column, const Done& done) {
    Vector sums[M][N] = {};
    const float *left = factors.left + row * factors.row_step, *right = factors.right + column;
    for (int64_t k = 0; k < factors.depth; ++k, left += factors.step, right += factors.right_step) {
        Vector others[N];
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) others[n] = in_register(load(right + n * LANES));
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sums[m][n] += left[m * factors.row_step] * others[n];
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) done(row + m, column + n * LANES, sums[m][n]);
}

template <int N, class Done>
void blocks(const Factors& factors, int64_t rows, int64_t column, const Done& done) {
    int64_t row = 0;
    for (; row + ROWS <= rows; row += ROWS) block<ROWS, N>(factors, row, column, done);
    switch (rows - row) {
        case 3: return block<3, N>(factors, row, column, done);
        case 2: return block<2, N>(factors, row, column, done);
        case 1: return block<1, N>(factors, row, column, done);
    }
}

// done(row, column, sums) for each vector of the product, (rows, columns), columns a multiple of 16
template <class Done>
void product(const Factors& factors, int64_t rows, int64_t columns, const Done& done) {
    int64_t column = 0;
    for (; column + VECTORS * LANES <= columns; column += VECTORS * LANES) blocks<VECTORS>(factors, rows, column, done);
    for (; column + 2 * LANES <= columns; column += 2 * LANES) blocks<2>(factors, rows, column, done);
    if (column < columns) blocks<1>(factors, rows, column, done);
}

// done(row, column, sums) for rows (rows, inputs) times right (inputs, columns)
template <class Done>
void multiply(const float* from, int64_t rows, int64_t inputs, const float* right, int64_t columns, const Done& done) {
    product({from, inputs, 1, right, columns, inputs}, rows, columns, done);
}

void add_sums(const float* rows, int64_t count, int64_t width, Array& sums) {
    for (int64_t row = 0; row < count; ++row)
        for (int64_t column = 0; column < width; column += LANES)
            add(sums.data() + column, load(rows + row * width + column));
}

// add rows^T others, (width, columns), and the sum of rows, (width,), unless null
void add_products(const float* rows, const float* others, int64_t count, int64_t width, int64_t columns,
                  Array& products, Array* sums) {
    product({rows, 1, width, others, columns, count}, width, columns, [&](int64_t row, int64_t column, Vector sum) {
        add(products.data() + row * columns + column, sum);
    });
    if (sums) add_sums(rows, count, width, *sums);
}

Array transposed(const float* matrix, int64_t rows, int64_t columns) {
    Array result(rows * columns);
    for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < columns; ++column) result[column * rows + row] = matrix[row * columns + column];
    return result;
}

// each(thread, tile), a thread's tiles in order; OpenMP's threads are torch's own, which wait actively for their next work
template <class Each>
void for_tiles(int64_t tiles, int64_t most_threads, const Each& each) {
    const int64_t threads = std::max<int64_t>(1, std::min(most_threads, tiles));
#pragma omp parallel for num_threads(int(threads)) schedule(static)
    for (int64_t thread = 0; thread < threads; ++thread)
        for (int64_t tile = tiles * thread / threads; tile < tiles * (thread + 1) / threads; ++tile) each(thread, tile);
}

}  // namespace
