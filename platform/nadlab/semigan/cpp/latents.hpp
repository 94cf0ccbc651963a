// What AG's GIN reads of latents (latents.py), and its backward pass.
//
// Shapes: B cells, V vertices, Z numbers of a latent (a multiple of 16), E of the rank's embedding, F = Z + E + V features; S trials.

#pragma once

#include <cmath>

#include "products.hpp"

namespace {

constexpr int64_t DRAWN = 8;  // cells of a tile

struct LatentSizes {
    int64_t trials, cells, vertices, latent, embedding, threads;

    int64_t features() const { return latent + embedding + vertices; }
    int64_t tiles() const { return (cells + DRAWN - 1) / DRAWN; }
    int64_t cells_of(int64_t tile) const { return std::min(DRAWN, cells - tile * DRAWN); }
    float scale() const { return 1 / std::sqrt(float(latent)); }
};

template <class T, class Number = typename T::Number>
void latents_forward(const LatentSizes& sizes, const float* z_A, const float* z_X, const float* ranks,
                     const float* similarity, Number* neighbours, Number* features, float* edges) {
    const int64_t vertices = sizes.vertices, size = sizes.latent, embedding = sizes.embedding, count = sizes.features(),
                  columns = rounded(vertices, 16);
    for (int64_t trial = 0; trial < sizes.trials; ++trial) {
        const auto words = transposed<Float32>(similarity + trial * size * size, size, size);
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t, int64_t tile) {
            const int64_t first = trial * sizes.cells + tile * DRAWN, rows = sizes.cells_of(tile) * vertices;
            const float* z = z_A + first * vertices * size;
            Array<float> projected(rows * size), products(vertices * columns), vertex(count);
            product<Float32>({z, size, 1, words.data(), size, size}, rows, size,
                             [&](int64_t row, int64_t column, Vector sums) {
                                 store(projected.data() + row * size + column, sums * sizes.scale());
                             });
            for (int64_t above = 0; above < rows; above += vertices) {
                const auto others = turned(z + above * size, 1, vertices, size, columns);
                product<Float32>({projected.data() + above * size, size, 1, others.data(), columns, size}, vertices, columns,
                                 [&](int64_t row, int64_t column, Vector sums) {
                                     store(products.data() + row * columns + column, sums);
                                 });
                Number* own = neighbours + (first * vertices + above) * vertices;
                for (int64_t source = 0; source < vertices; ++source) {
                    own[source * vertices + source] = T::rounded(1);
                    for (int64_t target = source + 1; target < vertices; ++target) {
                        const float edge = 1 / (1 + std::exp(-products[source * columns + target])) / vertices;
                        edges[(first * vertices + above + source) * vertices + target] = edge;
                        own[source * vertices + target] = own[target * vertices + source] = T::rounded(edge);
                    }
                    const int64_t at = first * vertices + above + source;
                    std::copy_n(z_X + at * size, size, vertex.data());
                    std::copy_n(ranks + at / vertices * embedding, embedding, vertex.data() + size);
                    std::fill_n(vertex.data() + size + embedding, vertices, 0.0f);
                    vertex[size + embedding + source] = 1;
                    read_rows<T>(vertex.data(), 1, count, 1, count, features + at * count);
                }
            }
        });
    }
}

template <class T, class Number = typename T::Number>
void latents_backward(const LatentSizes& sizes, const float* z_A, const float* edges, const Number* by_neighbours,
                      const Number* by_features, float* by_ranks, float* by_similarity) {
    const int64_t vertices = sizes.vertices, size = sizes.latent, embedding = sizes.embedding, count = sizes.features();
    for (int64_t trial = 0; trial < sizes.trials; ++trial) {
        std::vector<Array<float>> sums(std::max<int64_t>(1, sizes.threads), Array<float>(size * size));
        for_tiles(sizes.tiles(), sizes.threads, [&](int64_t thread, int64_t tile) {
            const int64_t first = trial * sizes.cells + tile * DRAWN, rows = sizes.cells_of(tile) * vertices;
            const float* z = z_A + first * vertices * size;
            Array<float> by_projected(rows * size), by_products(vertices * vertices);
            for (int64_t above = 0; above < rows; above += vertices) {
                const int64_t at = first * vertices + above;
                float* own = by_ranks + at / vertices * embedding;
                std::fill_n(own, embedding, 0.0f);
                for (int64_t source = 0; source < vertices; ++source) {
                    const Number* by_row = by_features + (at + source) * count + size;
                    for (int64_t k = 0; k < embedding; ++k) own[k] += T::number(by_row[k]);
                    for (int64_t target = source + 1; target < vertices; ++target) {
                        const float share = edges[(at + source) * vertices + target] * vertices,
                                    by_edge = T::number(by_neighbours[(at + source) * vertices + target]) +
                                              T::number(by_neighbours[(at + target) * vertices + source]);
                        by_products[source * vertices + target] =
                            by_edge / vertices * share * (1 - share) * sizes.scale();
                    }
                }
                product<Float32>({by_products.data(), vertices, 1, z + above * size, size, vertices}, vertices, size,
                                 [&](int64_t row, int64_t column, Vector sums) {
                                     store(by_projected.data() + (above + row) * size + column, sums);
                                 });
            }
            product<Float32>({by_projected.data(), 1, size, z, size, rows}, size, size,
                             [&](int64_t row, int64_t column, Vector sum) {
                                 float* into = sums[thread].data() + row * size + column;
                                 store(into, load(into) + sum);
                             });
        });
        write_sum(sums, [](const auto& own) -> const auto& { return own; }, size, size, size,
                  by_similarity + trial * size * size);
    }
}

}  // namespace
