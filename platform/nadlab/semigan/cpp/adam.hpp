// A step of Adam (Kingma and Ba 2015) for all tensors of a network, as torch takes it.

#pragma once

#include <cmath>
#include <cstdint>

namespace {

// tensors: of each its numbers, gradient, first and second moment, and number of steps taken, which is counted up
void adam(int64_t tensors, const int64_t* sizes, float* const* numbers, const float* const* gradients,
          float* const* first, float* const* second, float* const* steps, double rate, double beta_1, double beta_2,
          double epsilon) {
    for (int64_t tensor = 0; tensor < tensors; ++tensor) {
        const double taken = *steps[tensor] += 1;
        const float kept_1 = beta_1, kept_2 = beta_2, new_1 = 1 - beta_1, new_2 = 1 - beta_2, least = epsilon,
                    size = rate / (1 - std::pow(beta_1, taken)), scale = 1 / std::sqrt(1 - std::pow(beta_2, taken));
        float *__restrict number = numbers[tensor], *__restrict mean = first[tensor], *__restrict square = second[tensor];
        const float* __restrict gradient = gradients[tensor];
        for (int64_t place = 0; place < sizes[tensor]; ++place) {
            mean[place] = kept_1 * mean[place] + new_1 * gradient[place];
            square[place] = kept_2 * square[place] + new_2 * gradient[place] * gradient[place];
            number[place] -= size * mean[place] / (std::sqrt(square[place]) * scale + least);
        }
    }
}

}  // namespace
