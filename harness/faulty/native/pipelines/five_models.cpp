#include "five_models.h"

namespace rtc_faulty {
namespace {

constexpr auto dense = LayerKind::dense, lstm = LayerKind::lstm;
constexpr auto none = Activation::none, tanh = Activation::tanh, relu = Activation::relu;
constexpr auto sigmoid = Activation::sigmoid, softmax = Activation::softmax;
constexpr int emotion = 0;

std::array<FiveModel, model_count> make() {
    std::array<FiveModel, model_count> models{{
        {"EmotionRecognizer", "emotionrecognizer.json", 128, 64,
         {{dense, 512, tanh}, {dense, 256, tanh}, {lstm, 128, none}, {dense, 64, tanh}},
         {{audio, 0, 128}}, 0.0f, -1},
        {"MelodyTransformer", "melodytransformer.json", 64, 128,
         {{dense, 256, relu}, {lstm, 256, none}, {dense, 256, relu}, {dense, 128, sigmoid}},
         {{emotion, 0, 64}}, 1.0f / 128, -1},
        {"HarmonyPredictor", "harmonypredictor.json", 128, 64,
         {{dense, 256, tanh}, {dense, 128, tanh}, {dense, 64, softmax}},
         {{emotion, 0, 64}, {audio, 0, 64}}, 0.0f, 0},
        {"DynamicsEngine", "dynamicsengine.json", 32, 16,
         {{dense, 128, relu}, {dense, 64, relu}, {dense, 16, sigmoid}},
         {{emotion, 0, 16}, {emotion, 32, 48}}, 0.5f, -1},
        {"GroovePredictor", "groovepredictor.json", 64, 32,
         {{dense, 128, tanh}, {dense, 64, tanh}, {dense, 32, tanh}},
         {{emotion, 0, 64}}, 0.0f, -1},
    }};
    std::size_t begin = 0;
    for (FiveModel& model : models) {
        model.begin = begin;
        begin += model.output_size;
    }
    return models;
}

}  // namespace

const std::array<FiveModel, model_count>& five_models() {
    static const auto models = make();
    return models;
}

}  // namespace rtc_faulty
