// Linear layers, and the GIN layers of gin.py, with their backward passes for a CPU: a tile of rows at a time, all layers
// of a GIN while it lies in the cache.
//
// A word is what one lane multiplies in one instruction: a float, or two bfloat16 whose products are summed in float32.
// Words of rows are pairs of neighbours in a row; `paired` words are made of two rows that lie one above the other.
// Shapes: B cells, V vertices, F inputs, H outputs (a multiple of 16), L layers, R = B V rows; S trials.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <thread>
#include <type_traits>
#include <vector>

#ifdef __AVX512BF16__
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

typedef float Vector __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

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
inline void in_register(Any& value) {
#if defined(__x86_64__)
    asm("" : "+v"(value));
#elif defined(__aarch64__)
    asm("" : "+w"(value));
#endif
}

Vector load(const float* from) { return *reinterpret_cast<const Vector*>(from); }
void store(float* to, Vector numbers) { *reinterpret_cast<Vector*>(to) = numbers; }

struct Float32 {
    using Number = float;
    using Word = float;
    using Words = Vector;
    static constexpr int64_t PAIR = 1;

    static Word word(float first, float) { return first; }
    static Words words(const Word* from) { return ::load(from); }
    static Vector sum(Vector sums, Word one, Words others) { return sums + one * others; }
    static Vector load(const Number* from) { return ::load(from); }
    static void store(Number* to, Vector numbers) { ::store(to, numbers); }
    static float number(Number number) { return number; }
    static Number rounded(float number) { return number; }
    static const Word* paired(const Number* rows, int64_t, int64_t, Word*) { return rows; }
};

#ifdef __AVX512BF16__
struct BFloat16 {
    using Number = uint16_t;
    using Word = uint32_t;
    using Words = __m512bh;
    static constexpr int64_t PAIR = 2;

    static Word word(float first, float second) { return rounded(first) | uint32_t(rounded(second)) << 16; }
    static Words words(const Word* from) { return (__m512bh)_mm512_loadu_si512(from); }
    static Vector sum(Vector sums, Word one, Words others) {
        return (Vector)_mm512_dpbf16_ps((__m512)sums, (__m512bh)_mm512_set1_epi32(int(one)), others);
    }
    static Vector load(const Number* from) { return (Vector)_mm512_slli_epi32(wide(from), 16); }
    static void store(Number* to, Vector numbers) {
        _mm256_storeu_si256((__m256i*)to, (__m256i)_mm512_cvtneps_pbh((__m512)numbers));
    }
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
    static const Word* paired(const Number* rows, int64_t count, int64_t width, Word* into) {
        for (int64_t row = 0; row < count; row += 2)
            for (int64_t column = 0; column < width; column += LANES) {
                const Number* upper = rows + row * width + column;
                __m512i both = wide(upper);
                if (row + 1 < count) both = _mm512_or_si512(both, _mm512_slli_epi32(wide(upper + width), 16));
                _mm512_storeu_si512(into + row / 2 * width + column, both);
            }
        return into;
    }
    static __m512i wide(const Number* from) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)from)); }
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
        for (int n = 0; n < N; ++n) {
            others[n] = T::words(right + n * LANES);
            in_register(others[n]);
        }
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

struct Sizes {
    int64_t trials, cells, vertices, inputs, width, layers, pooled, threads;

    int64_t fan_in(int64_t layer) const { return layer ? width : inputs; }
    int64_t columns(int64_t layer) const { return rounded(fan_in(layer), 16); }
    int64_t tile_cells() const { return std::max<int64_t>(1, TILE / vertices); }
    int64_t tile_rows() const { return rounded(tile_cells() * vertices, ROWS); }
    int64_t tiles() const { return (cells + tile_cells() - 1) / tile_cells(); }
    int64_t saved_of_a_tile() const { return layers * 2 * tile_rows() * width; }
};

// weights of a layer as words [k][column] of the right factor
template <class T>
struct Weights {
    Array<typename T::Word> inner, outer;
    const float *inner_bias, *outer_bias;
};

// of rows times weight^T; weight (H, F)
template <class T>
Array<typename T::Word> transposed(const float* weight, int64_t outputs, int64_t inputs) {
    const int64_t depth = (inputs + T::PAIR - 1) / T::PAIR;
    Array<typename T::Word> words(depth * outputs);
    // in squares, which stay in the cache
    for (int64_t above = 0; above < depth; above += 16)
        for (int64_t output = 0; output < outputs; ++output)
            for (int64_t k = above; k < std::min(above + 16, depth); ++k) {
                const float* pair = weight + output * inputs + k * T::PAIR;
                words[k * outputs + output] = T::word(pair[0], k * T::PAIR + 1 < inputs ? pair[1] : 0.0f);
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

// what a thread works in; rows beyond a tile's last are zero where they are summed over
template <class T>
struct Scratch {
    using Number = typename T::Number;
    using Word = typename T::Word;
    Array<Number> features, message, by_heard, behind, within;
    Array<Word> neighbours, mixed;
    Paired<T> paired;

    explicit Scratch(const Sizes& sizes)
        : neighbours(sizes.tile_cells() * sizes.vertices * words_of_a_row(sizes)),
          mixed(words_of_a_row(sizes) * std::max(sizes.columns(0), sizes.width)) {
        const int64_t numbers = sizes.tile_rows() * std::max(sizes.columns(0), sizes.width);
        for (auto* rows : {&features, &message, &by_heard, &behind, &within}) rows->resize(numbers);
        for (auto* words : {&paired.left, &paired.right}) words->resize(numbers);
    }

    static int64_t words_of_a_row(const Sizes& sizes) { return (sizes.vertices + T::PAIR - 1) / T::PAIR; }

    void read(const Sizes& sizes, const Number* neighbours_BVV, const Number* features_BVF, int64_t cells) {
        const int64_t vertices = sizes.vertices, rows = cells * vertices, words = words_of_a_row(sizes);
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t k = 0; k < words; ++k) {
                const Number* pair = neighbours_BVV + row * vertices + k * T::PAIR;
                const bool second = k * T::PAIR + 1 < vertices;
                neighbours[row * words + k] = T::word(T::number(pair[0]), second ? T::number(pair[1]) : 0.0f);
            }
        read_rows<T>(features_BVF, rows, sizes.inputs, rows, sizes.columns(0), features.data());
    }

    // done(row, column, sums) for what each vertex of the tile hears: neighbours, which are symmetric, times rows
    template <class Done>
    void mix(const Sizes& sizes, const Number* rows, int64_t cells, int64_t columns, const Done& done) {
        const int64_t vertices = sizes.vertices, words = words_of_a_row(sizes);
        for (int64_t cell = 0; cell < cells; ++cell) {
            const int64_t above = cell * vertices;
            const Word* right = T::paired(rows + above * columns, vertices, columns, mixed.data());
            product<T>({neighbours.data() + above * words, words, 1, right, columns, words}, vertices, columns,
                       [&](int64_t row, int64_t column, Vector sums) { done(above + row, column, sums); });
        }
    }

    void hear(const Sizes& sizes, const Number* rows, int64_t cells, int64_t columns) {
        const int64_t last = cells * sizes.vertices, padded = rounded(last, ROWS);
        mix(sizes, rows, cells, columns, [&](int64_t row, int64_t column, Vector sums) {
            T::store(message.data() + row * columns + column, sums);
        });
        std::fill(message.data() + last * columns, message.data() + padded * columns, Number{});
    }
};

template <class T>
void forward_tile(const Sizes& sizes, const std::vector<Weights<T>>& weights, Scratch<T>& scratch, int64_t cells,
                  const typename T::Number* neighbours, const typename T::Number* features, void* result,
                  typename T::Number* saved) {
    using Number = typename T::Number;
    const int64_t width = sizes.width, vertices = sizes.vertices, rows = cells * vertices,
                  padded = rounded(rows, ROWS), numbers = sizes.tile_rows() * width;
    scratch.read(sizes, neighbours, features, cells);
    for (int64_t layer = 0; layer < sizes.layers; ++layer) {
        Number *middle = saved + 2 * layer * numbers, *output = middle + numbers;
        const Number* before = layer ? middle - numbers : scratch.features.data();
        const Weights<T>& own = weights[layer];
        const int64_t inputs = sizes.columns(layer);
        scratch.hear(sizes, before, cells, inputs);
        const auto rectified = [width](const float* bias, Number* into) {
            return [=](int64_t row, int64_t column, Vector sums) {
                T::store(into + row * width + column, relu(sums + load(bias + column)));
            };
        };
        product<T>({as_words<T>(scratch.message.data()), inputs / T::PAIR, 1, own.inner.data(), width,
                    (sizes.fan_in(layer) + T::PAIR - 1) / T::PAIR},
                   padded, width, rectified(own.inner_bias, middle));
        product<T>({as_words<T>(middle), width / T::PAIR, 1, own.outer.data(), width, width / T::PAIR}, padded, width,
                   rectified(own.outer_bias, output));
        if (sizes.pooled)
            for (int64_t cell = 0; cell < cells; ++cell)
                for (int64_t column = 0; column < width; column += LANES) {
                    Vector sum{};
                    for (int64_t row = cell * vertices; row < (cell + 1) * vertices; ++row)
                        sum += T::load(output + row * width + column);
                    store(static_cast<float*>(result) + (cell * sizes.layers + layer) * width + column,
                          sum / float(vertices));
                }
        else if (layer + 1 == sizes.layers)
            std::copy_n(output, rows * width, static_cast<Number*>(result));
    }
}

// gradients of a layer's weights
struct Gradients {
    Array<float> inner, inner_bias, outer, outer_bias;
};

std::vector<Gradients> no_gradients(const Sizes& sizes) {
    std::vector<Gradients> all(sizes.layers);
    for (int64_t layer = 0; layer < sizes.layers; ++layer) {
        Gradients& own = all[layer];
        own.inner.resize(sizes.width * sizes.columns(layer));
        own.outer.resize(sizes.width * sizes.width);
        own.inner_bias.resize(sizes.width);
        own.outer_bias.resize(sizes.width);
    }
    return all;
}

// add rows^T times others, and the sum of rows
template <class T>
void add_products(Paired<T>& paired, const typename T::Number* rows, const typename T::Number* others, int64_t count,
                  int64_t width, int64_t columns, Array<float>& products, Array<float>& sums) {
    const auto* left = T::paired(rows, count, width, paired.left.data());
    const auto* right = T::paired(others, count, columns, paired.right.data());
    product<T>({left, 1, width, right, columns, count / T::PAIR}, width, columns,
               [&](int64_t row, int64_t column, Vector sum) {
                   float* into = products.data() + row * columns + column;
                   store(into, load(into) + sum);
               });
    const auto one = T::word(1.0f, 1.0f);
    product<T>({&one, 0, 0, left, width, count / T::PAIR}, 1, width, [&](int64_t, int64_t column, Vector sum) {
        store(sums.data() + column, load(sums.data() + column) + sum);
    });
}

// add by_heard times rows^T of each cell, (V, V)
template <class T>
void add_by_neighbours(const Sizes& sizes, Scratch<T>& scratch, const typename T::Number* by_heard,
                       const typename T::Number* rows, int64_t cells, int64_t inputs, Array<float>& by_neighbours) {
    const int64_t vertices = sizes.vertices, depth = inputs / T::PAIR, columns = rounded(vertices, 16);
    auto& turned = scratch.paired.right;
    for (int64_t cell = 0; cell < cells; ++cell) {
        const auto* words = as_words<T>(rows + cell * vertices * inputs);
        std::fill_n(turned.data(), depth * columns, typename T::Word{});
        for (int64_t vertex = 0; vertex < vertices; ++vertex)
            for (int64_t k = 0; k < depth; ++k) turned[k * columns + vertex] = words[vertex * depth + k];
        product<T>({as_words<T>(by_heard + cell * vertices * inputs), depth, 1, turned.data(), columns, depth}, vertices,
                   columns, [&](int64_t row, int64_t column, Vector sums) {
                       float* into = by_neighbours.data() + (cell * vertices + row) * columns + column;
                       store(into, load(into) + sums);
                   });
    }
}

template <class T>
void backward_tile(const Sizes& sizes, const std::vector<Weights<T>>& weights, Scratch<T>& scratch, int64_t cells,
                   const typename T::Number* neighbours, const typename T::Number* features,
                   const typename T::Number* saved, const void* gradient, typename T::Number* by_neighbours,
                   typename T::Number* by_features, std::vector<Gradients>* by_weights) {
    using Number = typename T::Number;
    const int64_t width = sizes.width, vertices = sizes.vertices, rows = cells * vertices,
                  padded = rounded(rows, ROWS), numbers = sizes.tile_rows() * width, columns = rounded(vertices, 16);
    Array<float> pairs(by_neighbours ? rows * columns : 0);
    Number *behind = scratch.behind.data(), *within = scratch.within.data(), *by_heard = scratch.by_heard.data();
    scratch.read(sizes, neighbours, features, cells);
    std::fill(behind + rows * width, behind + padded * width, Number{});
    for (int64_t layer = sizes.layers - 1; layer >= 0; --layer) {
        const Number *middle = saved + 2 * layer * numbers, *output = middle + numbers,
                     *before = layer ? middle - numbers : scratch.features.data();
        const auto into_behind = [&](int64_t row, int64_t column, Vector by_output) {
            if (sizes.pooled)
                by_output += load(static_cast<const float*>(gradient) +
                                  (row / vertices * sizes.layers + layer) * width + column) / float(vertices);
            const int64_t place = row * width + column;
            T::store(behind + place, through_relu(by_output, T::load(output + place)));
        };
        if (layer == sizes.layers - 1)
            for (int64_t row = 0; row < rows; ++row)
                for (int64_t column = 0; column < width; column += LANES)
                    into_behind(row, column,
                                sizes.pooled ? Vector{} : T::load(static_cast<const Number*>(gradient) + row * width + column));
        else
            scratch.mix(sizes, by_heard, cells, width, into_behind);
        const Weights<T>& own = weights[layer];
        product<T>({as_words<T>(behind), width / T::PAIR, 1, own.outer.data(), width, width / T::PAIR}, padded, width,
                   [&](int64_t row, int64_t column, Vector sums) {
                       const int64_t place = row * width + column;
                       T::store(within + place, through_relu(sums, T::load(middle + place)));
                   });
        const int64_t inputs = sizes.columns(layer);
        if (by_weights) {
            Gradients& gradients = (*by_weights)[layer];
            scratch.hear(sizes, before, cells, inputs);
            add_products<T>(scratch.paired, behind, middle, padded, width, width, gradients.outer, gradients.outer_bias);
            add_products<T>(scratch.paired, within, scratch.message.data(), padded, width, inputs, gradients.inner,
                            gradients.inner_bias);
        }
        if (!layer && !by_features && !by_neighbours) break;
        product<T>({as_words<T>(within), width / T::PAIR, 1, own.inner.data(), inputs, width / T::PAIR}, padded, inputs,
                   [&](int64_t row, int64_t column, Vector sums) {
                       T::store(by_heard + row * inputs + column, sums);
                   });
        if (by_neighbours) add_by_neighbours<T>(sizes, scratch, by_heard, before, cells, inputs, pairs);
    }
    if (by_features) {
        const int64_t inputs = sizes.columns(0);
        scratch.hear(sizes, by_heard, cells, inputs);
        for (int64_t row = 0; row < rows; ++row)
            std::copy_n(scratch.message.data() + row * inputs, sizes.inputs, by_features + row * sizes.inputs);
    }
    if (by_neighbours)
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t column = 0; column < vertices; ++column)
                by_neighbours[row * vertices + column] = T::rounded(pairs[row * columns + column]);
}

// each(thread, tile), a thread's tiles in order
template <class Each>
void for_tiles(int64_t tiles, int64_t most_threads, const Each& each) {
    const int64_t threads = std::max<int64_t>(1, std::min(most_threads, tiles));
    const auto work = [&](int64_t thread) {
        for (int64_t tile = tiles * thread / threads; tile < tiles * (thread + 1) / threads; ++tile) each(thread, tile);
    };
    std::vector<std::thread> others;
    for (int64_t thread = 1; thread < threads; ++thread) others.emplace_back(work, thread);
    work(0);
    for (std::thread& other : others) other.join();
}

// write the sum of the threads' parts
void write_sum(const std::vector<const float*>& parts, int64_t count, float* into) {
    std::copy_n(parts[0], count, into);
    for (size_t part = 1; part < parts.size(); ++part)
        for (int64_t place = 0; place < count; ++place) into[place] += parts[part][place];
}

int64_t cells_of(const Sizes& sizes, int64_t tile) {
    return std::min(sizes.tile_cells(), sizes.cells - tile * sizes.tile_cells());
}

template <class T, class Number = typename T::Number>
void forward(const Sizes& sizes, const Number* neighbours, const Number* features, const float* const* arrays, void* result,
             Number* saved) {
    const int64_t vertices = sizes.vertices, width = sizes.width,
                  of_a_cell = sizes.pooled ? sizes.layers * width * sizeof(float) : vertices * width * sizeof(Number);
    std::vector<Scratch<T>> scratch(std::max<int64_t>(1, sizes.threads), Scratch<T>(sizes));
    for (int64_t trial = 0; trial < sizes.trials; ++trial) {
        std::vector<Weights<T>> weights;
        for (int64_t layer = 0; layer < sizes.layers; ++layer) {
            const int64_t inputs = sizes.fan_in(layer);
            const float* const* own = arrays + 4 * layer;
            weights.push_back({transposed<T>(own[0] + trial * width * inputs, width, inputs),
                               transposed<T>(own[2] + trial * width * width, width, width), own[1] + trial * width,
                               own[3] + trial * width});
        }
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
            const int64_t cell = trial * sizes.cells + tile * sizes.tile_cells();
            forward_tile<T>(sizes, weights, scratch[thread], cells_of(sizes, tile),
                            neighbours + cell * vertices * vertices, features + cell * vertices * sizes.inputs,
                            static_cast<char*>(result) + cell * of_a_cell,
                            saved + (trial * sizes.tiles() + tile) * sizes.saved_of_a_tile());
        });
    }
}

template <class T, class Number = typename T::Number>
void backward(const Sizes& sizes, const Number* neighbours, const Number* features, const float* const* arrays,
              const Number* saved, const void* gradient, Number* by_neighbours, Number* by_features,
              float* const* by_weights) {
    const int64_t vertices = sizes.vertices, width = sizes.width, threads = std::max<int64_t>(1, sizes.threads),
                  of_a_cell = sizes.pooled ? sizes.layers * width * sizeof(float) : vertices * width * sizeof(Number);
    std::vector<Scratch<T>> scratch(threads, Scratch<T>(sizes));
    for (int64_t trial = 0; trial < sizes.trials; ++trial) {
        std::vector<Weights<T>> weights;
        for (int64_t layer = 0; layer < sizes.layers; ++layer) {
            const int64_t inputs = sizes.fan_in(layer);
            const float* const* own = arrays + 4 * layer;
            weights.push_back({natural<T>(own[0] + trial * width * inputs, width, inputs, sizes.columns(layer)),
                               natural<T>(own[2] + trial * width * width, width, width, width), nullptr, nullptr});
        }
        std::vector<std::vector<Gradients>> gradients(by_weights ? threads : 0, no_gradients(sizes));
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
            const int64_t cell = trial * sizes.cells + tile * sizes.tile_cells();
            backward_tile<T>(sizes, weights, scratch[thread], cells_of(sizes, tile),
                             neighbours + cell * vertices * vertices, features + cell * vertices * sizes.inputs,
                             saved + (trial * sizes.tiles() + tile) * sizes.saved_of_a_tile(),
                             static_cast<const char*>(gradient) + cell * of_a_cell,
                             by_neighbours ? by_neighbours + cell * vertices * vertices : nullptr,
                             by_features ? by_features + cell * vertices * sizes.inputs : nullptr,
                             by_weights ? &gradients[thread] : nullptr);
        });
        if (!by_weights) continue;
        for (int64_t layer = 0; layer < sizes.layers; ++layer) {
            const int64_t inputs = sizes.fan_in(layer), columns = sizes.columns(layer);
            float* const* into = by_weights + 4 * layer;
            const auto write = [&](auto part, int64_t at, int64_t count, float* to) {
                std::vector<const float*> parts;
                for (const auto& all : gradients) parts.push_back((all[layer].*part).data() + at);
                write_sum(parts, count, to);
            };
            for (int64_t row = 0; row < width; ++row)
                write(&Gradients::inner, row * columns, inputs, into[0] + (trial * width + row) * inputs);
            write(&Gradients::inner_bias, 0, width, into[1] + trial * width);
            write(&Gradients::outer, 0, width * width, into[2] + trial * width * width);
            write(&Gradients::outer_bias, 0, width, into[3] + trial * width);
        }
    }
}

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
            auto* read = scratch[thread].data();
            read_rows<T>(rows_RF + above * inputs, rows, inputs, rows, columns, read);
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
                read_rows<T>(rows_RF + above * inputs, rows, inputs, padded, columns, own.rows.data());
                add_products<T>(own.paired, own.behind.data(), own.rows.data(), padded, outputs, columns,
                                own.by_weight, own.by_bias);
            }
            if (!by_rows) return;
            product<T>({as_words<T>(own.behind.data()), outputs / T::PAIR, 1, words.data(), columns, outputs / T::PAIR},
                       rows, columns, [&](int64_t row, int64_t column, Vector sums) {
                           store(own.by_rows.data() + row * columns + column, sums);
                       });
            write_rows<T>(own.by_rows.data(), rows, inputs, columns, by_rows + above * inputs);
        });
        if (!by_weight) continue;
        const auto write = [&](auto part, int64_t at, int64_t count, float* to) {
            std::vector<const float*> parts;
            for (const auto& own : scratch) parts.push_back((own.*part).data() + at);
            write_sum(parts, count, to);
        };
        for (int64_t row = 0; row < outputs; ++row)
            write(&LinearScratch<T>::by_weight, row * columns, inputs, by_weight + (trial * outputs + row) * inputs);
        write(&LinearScratch<T>::by_bias, 0, outputs, by_bias + trial * outputs);
    }
}

}  // namespace

// names: layers or linear, forward or backward, the type of the products, and that of rows where it may be another
extern "C" {

int64_t numbers_to_save(const Sizes* sizes) { return sizes->trials * sizes->tiles() * sizes->saved_of_a_tile(); }

#define LAYERS(NAME, T)                                                                                                \
    void layers_forward_##NAME(const Sizes* sizes, const T::Number* neighbours, const T::Number* features,                \
                               const float* const* weights, void* result, T::Number* saved) {                         \
        forward<T>(*sizes, neighbours, features, weights, result, saved);                                                 \
    }                                                                                                                  \
    void layers_backward_##NAME(const Sizes* sizes, const T::Number* neighbours, const T::Number* features,               \
                                const float* const* weights, const T::Number* saved, const void* gradient,             \
                                T::Number* by_neighbours, T::Number* by_features, float* const* by_weights) {             \
        backward<T>(*sizes, neighbours, features, weights, saved, gradient, by_neighbours, by_features, by_weights);         \
    }

#define LINEAR(NAME, T, NUMBER)                                                                                        \
    void linear_forward_##NAME(const LinearSizes* sizes, const NUMBER* rows, const float* weight, const float* bias,   \
                               float* result) {                                                                        \
        linear_forward<T>(*sizes, rows, weight, bias, result);                                                         \
    }                                                                                                                  \
    void linear_backward_##NAME(const LinearSizes* sizes, const NUMBER* rows, const float* weight,                     \
                                const float* result, const float* gradient, NUMBER* by_rows, float* by_weight,         \
                                float* by_bias) {                                                                      \
        linear_backward<T>(*sizes, rows, weight, result, gradient, by_rows, by_weight, by_bias);                       \
    }

LAYERS(float32, Float32)
LINEAR(float32_float32, Float32, float)
#ifdef __AVX512BF16__
LAYERS(bfloat16, BFloat16)
LINEAR(bfloat16_float32, BFloat16, float)
LINEAR(bfloat16_bfloat16, BFloat16, uint16_t)
#endif
}
