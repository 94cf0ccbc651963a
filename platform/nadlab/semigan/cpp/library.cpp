// What Python calls (kernel.py).

#include "adam.hpp"
#include "decisions.hpp"
#include "gin.hpp"
#include "latents.hpp"
#include "linear.hpp"

// names: layers, latents or linear, forward or backward, the type of the products, and that of rows where it may be another
extern "C" {

int64_t pieces(const Sizes* sizes) { return sizes->trials * sizes->pieces(); }

int64_t numbers_of_the_weights(const Sizes* sizes) { return sizes->numbers_of_the_weights(); }

int64_t bytes_of_the_shared(const Sizes* sizes) { return sizes->trials * Shared<Float32>::bytes_of(*sizes); }

int64_t numbers_of_a_piece(const Sizes* sizes) { return sizes->numbers_of_a_piece(); }

#define LAYERS(NAME, T)                                                                                                \
    void layers_forward_##NAME(const Sizes* sizes, const T::Number* neighbours, const T::Number* features,                \
                               const float* weights, void* result, T::Number* const* saved, void* shared) {               \
        forward<T>(*sizes, neighbours, features, weights, result, saved, shared);                                          \
    }                                                                                                                  \
    void layers_backward_##NAME(const Sizes* sizes, const T::Number* neighbours, const T::Number* features,               \
                                const float* weights, const T::Number* const* saved, void* shared, const void* gradient,      \
                                T::Number* by_neighbours, T::Number* by_features, float* by_weights) {                    \
        backward<T>(*sizes, neighbours, features, weights, saved, shared, gradient, by_neighbours, by_features, by_weights);  \
    }

#define LINEAR(NAME, T, NUMBER)                                                                                        \
    void linear_forward_##NAME(const LinearSizes* sizes, const NUMBER* rows, const float* more, const float* weight,   \
                               const float* bias, const float* last, const float* last_bias, float* result,            \
                               float* scores) {                                                                        \
        linear_forward<T, NUMBER>(*sizes, {rows, more}, weight, bias, last, last_bias, result, scores);                \
    }                                                                                                                  \
    void linear_backward_##NAME(const LinearSizes* sizes, const NUMBER* rows, const float* more, const float* weight,  \
                                const float* last, const float* result, const float* gradient, NUMBER* by_rows,        \
                                float* by_more, float* by_weight, float* by_bias, float* by_last,                      \
                                float* by_last_bias) {                                                                 \
        linear_backward<T, NUMBER>(*sizes, {rows, more}, weight, last, result, gradient,                               \
                                   {by_rows, by_more, by_weight, by_bias, by_last, by_last_bias});                     \
    }

#define LATENTS(NAME, T)                                                                                               \
    void latents_forward_##NAME(const LatentSizes* sizes, const float* z_A, const float* z_X, const float* ranks,      \
                                const float* similarity, T::Number* neighbours, T::Number* features, float* edges) {   \
        latents_forward<T>(*sizes, z_A, z_X, ranks, similarity, neighbours, features, edges);                          \
    }                                                                                                                  \
    void latents_backward_##NAME(const LatentSizes* sizes, const float* z_A, const float* edges,                       \
                                 const T::Number* by_neighbours, const T::Number* by_features, float* by_ranks,        \
                                 float* by_similarity) {                                                               \
        latents_backward<T>(*sizes, z_A, edges, by_neighbours, by_features, by_ranks, by_similarity);                  \
    }

LAYERS(float32, Float32)
LATENTS(float32, Float32)
LINEAR(float32_float32, Float32, float)
#ifdef BFLOAT16
LAYERS(bfloat16, BFloat16)
LATENTS(bfloat16, BFloat16)
LINEAR(bfloat16_float32, BFloat16, float)
LINEAR(bfloat16_bfloat16, BFloat16, uint16_t)
#endif

void decide_forward(const DecisionSizes* sizes, const float* features, const float* noise, const float* weights,
                    const float* bias, const float* memory, float* chosen, float* soft, float* likelihoods) {
    decide(*sizes, features, noise, weights, bias, memory, chosen, soft, likelihoods);
}

void decide_backward(const DecisionSizes* sizes, const float* features, const float* weights, const float* memory,
                     const float* chosen, const float* soft, const float* by_chosen, const float* by_likelihoods,
                     float* by_features, float* by_weights, float* by_bias, float* by_memory) {
    decide_backward(*sizes, features, weights, memory, chosen, soft, by_chosen, by_likelihoods, by_features, by_weights,
                    by_bias, by_memory);
}

void adam_step(int64_t tensors, const int64_t* sizes, float* const* numbers, const float* const* gradients,
               float* const* first, float* const* second, float* const* steps, double rate, double beta_1,
               double beta_2, double epsilon) {
    adam(tensors, sizes, numbers, gradients, first, second, steps, rate, beta_1, beta_2, epsilon);
}
}
