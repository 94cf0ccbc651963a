// Products of small matrices that stay in a core's registers and cache, in float32 and in bfloat16.
//
// A word is what one lane multiplies in one instruction: a float, or two bfloat16 whose products are summed in float32.
// Words of rows are pairs of neighbours in a row; `paired` words are made of two rows that lie one above the other.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <vector>

#ifdef __AVX512BF16__
#undef BFLOAT16
#define BFLOAT16
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int64_t LANES = 16, VECTORS = 4;
#elif defined(__AVX__)
constexpr int64_t LANES = 8, VECTORS = 2;
#else
constexpr int64_t LANES = 4, VECTORS = 2;
#endif
constexpr int64_t ROWS = 4;        // of a block of sums: ROWS times VECTORS of them stay in registers
constexpr int64_t TILE = 64;       // rows, about

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

template <class T>
using Array = std::vector<T, Aligned<T>>;

int64_t rounded(int64_t number, int64_t to) { return (number + to - 1) / to * to; }

// so that the compiler does not load it again for each use: loads, not products, would be the limit
template <class Any>
inline Any in_register(Any value) {
#if defined(__x86_64__)
    asm("" : "+v"(value));
#elif defined(__aarch64__)
    asm("" : "+w"(value));
#endif
    return value;
}

Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
void store(float* to, Vector numbers) { *reinterpret_cast<Unaligned*>(to) = numbers; }

// have numbers come from memory into the cache while others are computed
template <class Number>
void prefetch(const Number* numbers, int64_t count) {
    for (int64_t at = 0; at < count; at += 64 / sizeof(Number)) __builtin_prefetch(numbers + at, 0, 2);
}

struct Float32 {
    using Number = float;
    using Word = float;
    using Words = Vector;
    static constexpr int64_t PAIR = 1;

    static Word word(float first, float) { return first; }
    static Words words(const Word* from) { return in_register(::load(from)); }
    static Vector sum(Vector sums, Word one, Words others) { return sums + one * others; }
    static Vector load(const Number* from) { return ::load(from); }
    static void store(Number* to, Vector numbers) { ::store(to, numbers); }
    static float number(Number number) { return number; }
    static Number rounded(float number) { return number; }
    static const Word* paired(const Number* rows, int64_t, int64_t, Word*) { return rows; }
};

#ifdef BFLOAT16
struct BFloat16 {
    using Number = uint16_t;
    using Word = uint32_t;
    static constexpr int64_t PAIR = 2;

    static Word word(float first, float second) { return rounded(first) | uint32_t(rounded(second)) << 16; }
    static float number(Number number) {
        const uint32_t bits = uint32_t(number) << 16;
        float same;
        std::memcpy(&same, &bits, sizeof same);
        return same;
    }
    static Number rounded(float number) {
        uint32_t bits;
        std::memcpy(&bits, &number, sizeof bits);
        if (number != number) return 0x7fc0;
        return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    }
#ifdef __AVX512BF16__
    using Words = __m512bh;

    static Words words(const Word* from) { return in_register((__m512bh)_mm512_loadu_si512(from)); }
    static Vector sum(Vector sums, Word one, Words others) {
        return (Vector)_mm512_dpbf16_ps((__m512)sums, (__m512bh)_mm512_set1_epi32(int(one)), others);
    }
    static Vector load(const Number* from) { return (Vector)_mm512_slli_epi32(lanes(from), 16); }
    static void store(Number* to, Vector numbers) {
        _mm256_storeu_si256((__m256i*)to, (__m256i)_mm512_cvtneps_pbh((__m512)numbers));
    }
    static const Word* paired(const Number* rows, int64_t count, int64_t width, Word* into) {
        for (int64_t row = 0; row < count; row += 2)
            for (int64_t column = 0; column < width; column += LANES) {
                const Number* upper = rows + row * width + column;
                __m512i both = lanes(upper);
                if (row + 1 < count) both = _mm512_or_si512(both, _mm512_slli_epi32(lanes(upper + width), 16));
                _mm512_storeu_si512(into + row / 2 * width + column, both);
            }
        return into;
    }
    static __m512i lanes(const Number* from) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)from)); }
#else
    // for tests on other processors, at a fraction of float32's speed; inlined it would take twice as long to compile
    struct Words {
        Word lanes[LANES];
    };

    static Words words(const Word* from) {
        Words same;
        std::copy_n(from, LANES, same.lanes);
        return same;
    }
    [[gnu::noinline]] static Vector sum(Vector sums, Word one, const Words& others) {
        for (int64_t lane = 0; lane < LANES; ++lane)
            for (int half : {0, 16}) sums[lane] += number(Number(one >> half)) * number(Number(others.lanes[lane] >> half));
        return sums;
    }
    [[gnu::noinline]] static Vector load(const Number* from) {
        Vector numbers{};
        for (int64_t lane = 0; lane < LANES; ++lane) numbers[lane] = number(from[lane]);
        return numbers;
    }
    [[gnu::noinline]] static void store(Number* to, Vector numbers) {
        for (int64_t lane = 0; lane < LANES; ++lane) to[lane] = rounded(numbers[lane]);
    }
    static const Word* paired(const Number* rows, int64_t count, int64_t width, Word* into) {
        for (int64_t place = 0; place < (count + 1) / 2 * width; ++place) {
            const int64_t row = place / width * 2;
            const Number* upper = rows + row * width + place % width;
            into[place] = upper[0] | (row + 1 < count ? uint32_t(upper[width]) << 16 : 0);
        }
        return into;
    }
#endif
};
#endif

Vector relu(Vector numbers) { return numbers < 0.0f ? Vector{} : numbers; }
Vector through_relu(Vector gradient, Vector output) { return output <= 0.0f ? Vector{} : gradient; }

template <class T>
const typename T::Word* as_words(const typename T::Number* rows) {
    return reinterpret_cast<const typename T::Word*>(rows);
}

// left's words [row][k] lie at row * row_step + k * step, right's [k][column] at k * right_step + column
template <class T>
struct Factors {
    const typename T::Word* left;
    int64_t row_step, step;
    const typename T::Word* right;
    int64_t right_step;
    int64_t depth;  // words
};

template <class T, int M, int N, class Done>
inline void block(const Factors<T>& factors, int64_t row, int64_t column, const Done& done) {
    Vector sums[M][N] = {};
    const auto* left = factors.left + row * factors.row_step;
    const auto* right = factors.right + column;
    for (int64_t k = 0; k < factors.depth; ++k, left += factors.step, right += factors.right_step) {
        typename T::Words others[N];
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) others[n] = T::words(right + n * LANES);
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sums[m][n] = T::sum(sums[m][n], left[m * factors.row_step], others[n]);
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) done(row + m, column + n * LANES, sums[m][n]);
}

template <class T, int N, class Done>
void blocks(const Factors<T>& factors, int64_t rows, int64_t column, const Done& done) {
    int64_t row = 0;
    for (; row + ROWS <= rows; row += ROWS) block<T, ROWS, N>(factors, row, column, done);
    switch (rows - row) {
        case 3: return block<T, 3, N>(factors, row, column, done);
        case 2: return block<T, 2, N>(factors, row, column, done);
        case 1: return block<T, 1, N>(factors, row, column, done);
    }
}

// done(row, column, sums) for each vector of the product, (rows, columns), columns a multiple of LANES
template <class T, class Done>
void product(const Factors<T>& factors, int64_t rows, int64_t columns, const Done& done) {
    int64_t column = 0;
    for (; column + VECTORS * LANES <= columns; column += VECTORS * LANES)
        blocks<T, VECTORS>(factors, rows, column, done);
    for (; column + 2 * LANES <= columns; column += 2 * LANES) blocks<T, 2>(factors, rows, column, done);
    if (column < columns) blocks<T, 1>(factors, rows, column, done);
}

// done(row, column, sums) for rows, each of `inputs` numbers, times weights of so many columns
template <class T, class Done>
void multiply(const typename T::Number* from, int64_t rows, int64_t inputs, const Array<typename T::Word>& weights,
              int64_t columns, const Done& done) {
    product<T>({as_words<T>(from), inputs / T::PAIR, 1, weights.data(), columns, int64_t(weights.size()) / columns}, rows,
               columns, done);
}

// numbers as those of products, each row filled up with zeros and zero rows below the last
template <class T, class Number>
void read_rows(const Number* from, int64_t rows, int64_t inputs, int64_t padded, int64_t columns,
               typename T::Number* into) {
    std::fill_n(into, padded * columns, typename T::Number{});
    for (int64_t row = 0; row < rows; ++row, from += inputs, into += columns) {
        if constexpr (std::is_same_v<Number, typename T::Number>)
            std::copy_n(from, inputs, into);
        else {
            int64_t column = 0;
            for (; column + LANES <= inputs; column += LANES) T::store(into + column, load(from + column));
            for (; column < inputs; ++column) into[column] = T::rounded(from[column]);
        }
    }
}

// of rows times weight^T; weight (H, F), H a multiple of 16
template <class T>
Array<typename T::Word> transposed(const float* weight, int64_t outputs, int64_t inputs) {
    const int64_t depth = (inputs + T::PAIR - 1) / T::PAIR, padded = depth * T::PAIR;
    Array<typename T::Word> words(depth * outputs);
    Array<typename T::Number> rows(16 * padded);
    // sixteen rows at a time, which stay in the cache
    for (int64_t above = 0; above < outputs; above += 16) {
        read_rows<T>(weight + above * inputs, 16, inputs, 16, padded, rows.data());
        const auto* from = as_words<T>(rows.data());
        for (int64_t k = 0; k < depth; ++k)
            for (int64_t row = 0; row < 16; ++row) words[k * outputs + above + row] = from[row * depth + k];
    }
    return words;
}

// of rows times weight; weight (H, F), H even
template <class T>
Array<typename T::Word> natural(const float* weight, int64_t outputs, int64_t inputs, int64_t columns) {
    Array<typename T::Word> words(outputs / T::PAIR * columns);
    for (int64_t k = 0; k < outputs / T::PAIR; ++k) {
        const float* upper = weight + k * T::PAIR * inputs;
        for (int64_t input = 0; input < inputs; ++input)
            words[k * columns + input] = T::word(upper[input], upper[input + (T::PAIR - 1) * inputs]);
    }
    return words;
}

// matrices (rows, columns) with both exchanged, each new row filled up with zeros
Array<float> turned(const float* matrices, int64_t count, int64_t rows, int64_t columns, int64_t filled_up) {
    Array<float> result(count * columns * filled_up);
    for (int64_t each = 0; each < count; ++each, matrices += rows * columns)
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t column = 0; column < columns; ++column)
                result[(each * columns + column) * filled_up + row] = matrices[row * columns + column];
    return result;
}

// what read_rows writes, or `from` itself where it lies like that already
template <class T, class Number>
const typename T::Number* rows_for(const Number* from, int64_t rows, int64_t inputs, int64_t padded, int64_t columns,
                                   typename T::Number* into) {
    if constexpr (std::is_same_v<Number, typename T::Number>)
        if (rows == padded && inputs == columns) return from;
    read_rows<T>(from, rows, inputs, padded, columns, into);
    return into;
}

template <class T, class Number>
void write_rows(const float* from, int64_t rows, int64_t outputs, int64_t columns, Number* into) {
    for (int64_t row = 0; row < rows; ++row, from += columns, into += outputs) {
        if constexpr (std::is_same_v<Number, float>)
            std::copy_n(from, outputs, into);
        else
            std::transform(from, from + outputs, into, T::rounded);
    }
}

template <class T>
struct Paired {
    Array<typename T::Word> left, right;
};

// add the sum of rows, as paired words
template <class T>
void add_sums(const typename T::Word* rows, int64_t count, int64_t width, Array<float>& sums) {
    const auto one = T::word(1.0f, 1.0f);
    product<T>({&one, 0, 0, rows, width, count / T::PAIR}, 1, width, [&](int64_t, int64_t column, Vector sum) {
        store(sums.data() + column, load(sums.data() + column) + sum);
    });
}

// add rows^T times others and, where they are asked for, the sum of rows
template <class T>
void add_products(Paired<T>& paired, const typename T::Number* rows, const typename T::Number* others, int64_t count,
                  int64_t width, int64_t columns, Array<float>& products, Array<float>* sums) {
    const auto* left = T::paired(rows, count, width, paired.left.data());
    const auto* right = T::paired(others, count, columns, paired.right.data());
    product<T>({left, 1, width, right, columns, count / T::PAIR}, width, columns,
               [&](int64_t row, int64_t column, Vector sum) {
                   float* into = products.data() + row * columns + column;
                   store(into, load(into) + sum);
               });
    if (sums) add_sums<T>(left, count, width, *sums);
}

// each(thread, tile), a thread's tiles in order; OpenMP's threads are torch's own, which wait actively for their next work
template <class Each>
void for_tiles(int64_t tiles, int64_t most_threads, const Each& each) {
    const int64_t threads = std::max<int64_t>(1, std::min(most_threads, tiles));
#pragma omp parallel for num_threads(int(threads)) schedule(static)
    for (int64_t thread = 0; thread < threads; ++thread)
        for (int64_t tile = tiles * thread / threads; tile < tiles * (thread + 1) / threads; ++tile) each(thread, tile);
}

// what each thread works in
template <class Own, class Sizes, class... More>
std::vector<Own> of_each_thread(const Sizes& sizes, const More&... more) {
    std::vector<Own> all;
    for (int64_t thread = 0; thread < std::max<int64_t>(1, sizes.threads); ++thread) all.emplace_back(sizes, more...);
    return all;
}

// write the sum of what the threads hold, part(own) of each, (rows, columns), without the columns that fill a row up
template <class Own, class Part>
void write_sum(const std::vector<Own>& threads, const Part& part, int64_t rows, int64_t columns, int64_t kept, float* into) {
    for (int64_t row = 0; row < rows; ++row, into += kept) {
        std::copy_n(part(threads[0]).data() + row * columns, kept, into);
        for (size_t thread = 1; thread < threads.size(); ++thread)
            for (int64_t column = 0; column < kept; ++column) into[column] += part(threads[thread])[row * columns + column];
    }
}

}  // namespace
