/* A loader for dense layers in plain C99, written from rtconform/loader.h alone.
 *
 *     cc -std=c99 -O2 -shared -fPIC -I <folder of rtconform/loader.h> c99_loader.c -o libc99_loader.so -lm
 */
#include <errno.h>
#include <math.h>
#include <rtconform/loader.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c99_json.h"

enum { MAX_LAYERS = 64, MAX_WIDTH = 4096 };

typedef void (*activation)(float *y, uint32_t count);

typedef struct layer {
    uint32_t in, out;
    float *kernel, *bias; /* [in][out], [out] */
    activation activation;
} layer;

struct rtc_model {
    layer layers[MAX_LAYERS];
    uint32_t count, input_size, output_size;
    float rows[2][MAX_WIDTH];
};

static rtc_status refuse(rtc_error *error, rtc_phase phase, const char *path, const char *message) {
    error->phase = phase;
    snprintf(error->json_path, sizeof error->json_path, "%s", path);
    snprintf(error->message, sizeof error->message, "%s", message);
    return RTC_ERROR;
}

static void no_activation(float *y, uint32_t count) { (void)y, (void)count; }

static void apply_tanh(float *y, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) y[i] = tanhf(y[i]);
}

static void apply_relu(float *y, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) y[i] = fmaxf(y[i], 0.0f);
}

static void apply_sigmoid(float *y, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) y[i] = 1.0f / (1.0f + expf(-y[i]));
}

static void apply_elu(float *y, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) y[i] = y[i] > 0.0f ? y[i] : expm1f(y[i]);
}

static void apply_softmax(float *y, uint32_t count) {
    float largest = y[0], sum = 0.0f;
    for (uint32_t i = 1; i < count; ++i) largest = fmaxf(largest, y[i]);
    for (uint32_t i = 0; i < count; ++i) sum += y[i] = expf(y[i] - largest);
    for (uint32_t i = 0; i < count; ++i) y[i] /= sum;
}

static const struct {
    const char *name;
    activation apply;
} activations[] = {{"", no_activation},          {"tanh", apply_tanh}, {"relu", apply_relu},
                   {"sigmoid", apply_sigmoid}, {"elu", apply_elu},   {"softmax", apply_softmax}};

static activation find_activation(const char *name) {
    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; ++i)
        if (strcmp(activations[i].name, name) == 0) return activations[i].apply;
    return NULL;
}

/* Numbers of a JSON list, exactly `count` of them. */
static bool read_row(const json *list, float *to, uint32_t count) {
    if (list == NULL || list->kind != JSON_ARRAY || json_length(list) != count) return false;
    for (const json *item = list->child; item != NULL; item = item->next) {
        const float value = (float)item->number;
        if (item->kind != JSON_NUMBER || !isfinite(value)) return false;
        *to++ = value;
    }
    return true;
}

static bool read_dense(layer *to, const json *weights) {
    const json *kernel = json_item(weights, 0), *bias = json_item(weights, 1);
    if (json_length(weights) != 2 || json_length(kernel) != to->in) return false;
    to->kernel = malloc(sizeof(float) * to->in * to->out);
    to->bias = malloc(sizeof(float) * to->out);
    if (to->kernel == NULL || to->bias == NULL) return false;
    uint32_t i = 0;
    for (const json *row = kernel->child; row != NULL; row = row->next, ++i)
        if (!read_row(row, to->kernel + (size_t)i * to->out, to->out)) return false;
    return read_row(bias, to->bias, to->out);
}

static double counted(const json *entry) {
    return entry != NULL && entry->kind == JSON_NUMBER && entry->is_integer && entry->number >= 1 ? entry->number : 0;
}

/* The last entry of a shape, of four the last two multiplied; 0 if that is no width. */
static uint32_t width(const json *shape) {
    const size_t length = json_length(shape);
    const json *last = length > 0 ? json_item(shape, length - 1) : NULL;
    for (const json *item = length > 0 ? shape->child : NULL; item != NULL; item = item->next)
        if (item->kind != JSON_NULL && !item->is_integer) return 0;
    const double value = counted(last) * (length == 4 ? counted(json_item(shape, 2)) : 1);
    return value <= MAX_WIDTH ? (uint32_t)value : 0;
}

/* Whether a layer has a setting that the format has no place for, other than the one that changes nothing. */
static bool loses_a_setting(const json *layer) {
    static const char *const ones[] = {"alpha", "stride", "strides"}, *const falses[] = {"bidirectional", "go_backwards"};
    const json *found;
    for (int i = 0; i < 3; ++i) {
        if ((found = json_member(layer, ones[i])) != NULL && i > 0 && found->kind == JSON_ARRAY && json_length(found) == 1)
            found = json_item(found, 0);
        if (found != NULL && counted(found) != 1) return true;
    }
    for (int i = 0; i < 2; ++i)
        if ((found = json_member(layer, falses[i])) != NULL && (found->kind != JSON_BOOL || found->number != 0)) return true;
    if ((found = json_member(layer, "proj_size")) != NULL && (found->kind != JSON_NUMBER || found->number != 0)) return true;
    if ((found = json_member(layer, "use_bias")) != NULL && (found->kind != JSON_BOOL || found->number != 1)) return true;
    return strcmp(json_text(json_member(layer, "padding"), "causal"), "causal") != 0;
}

static rtc_status build(rtc_model *model, const json *root, rtc_error *error) {
    const json *layers = json_member(root, "layers");
    model->input_size = model->output_size = width(json_member(root, "in_shape"));
    if (model->input_size == 0) return refuse(error, RTC_PHASE_VALIDATE, "$.in_shape", "no input size");
    if (json_length(layers) < 1 || json_length(layers) > MAX_LAYERS)
        return refuse(error, RTC_PHASE_VALIDATE, "$.layers", "expected 1 to 64 layers");
    for (const json *item = layers->child; item != NULL; item = item->next) {
        char path[64];
        snprintf(path, sizeof path, "$.layers[%u]", (unsigned)model->count);
        layer *to = &model->layers[model->count++];
        to->in = model->output_size;
        to->out = model->output_size = width(json_member(item, "shape"));
        to->activation = find_activation(json_text(json_member(item, "activation"), ""));
        if (strcmp(json_text(json_member(item, "type"), ""), "dense") != 0)
            return refuse(error, RTC_PHASE_VALIDATE, path, "only dense layers are known here");
        if (loses_a_setting(item)) return refuse(error, RTC_PHASE_VALIDATE, path, "a setting that a dense layer hasn't");
        if (to->activation == NULL) return refuse(error, RTC_PHASE_VALIDATE, path, "an unknown activation");
        if (to->out == 0 || !read_dense(to, json_member(item, "weights")))
            return refuse(error, RTC_PHASE_VALIDATE, path, "the weights don't have the shape of the layer");
    }
    return RTC_OK;
}

static void unload(rtc_model *model) {
    if (model == NULL) return;
    for (uint32_t i = 0; i < model->count; ++i) {
        free(model->layers[i].kernel);
        free(model->layers[i].bias);
    }
    free(model);
}

static rtc_status load(const char *path, rtc_model **model, rtc_error *error) {
    *model = NULL;
    char *text = json_read_file(path);
    if (text == NULL) return refuse(error, RTC_PHASE_READ, "", strerror(errno));
    json *root = json_parse(text);
    free(text);
    if (root == NULL) return refuse(error, RTC_PHASE_PARSE, "", "this is not JSON");
    rtc_model *made = calloc(1, sizeof *made);
    const rtc_status status = made == NULL ? refuse(error, RTC_PHASE_BUILD, "", "no memory") : build(made, root, error);
    json_free(root);
    if (status == RTC_OK) *model = made;
    else unload(made);
    return status;
}

static rtc_status prepare(rtc_model *model, uint32_t max_frames, rtc_error *error) {
    (void)max_frames, (void)error;
    memset(model->rows, 0, sizeof model->rows); /* or their pages, which calloc left to the system, come in process */
    return RTC_OK;
}

static uint32_t input_size(const rtc_model *model) { return model->input_size; }
static uint32_t output_size(const rtc_model *model) { return model->output_size; }
static void reset(rtc_model *model) { (void)model; }

static void process(rtc_model *model, const float *in, float *out, uint32_t frames) {
    for (uint32_t f = 0; f < frames; ++f, in += model->input_size, out += model->output_size) {
        const float *x = in;
        for (uint32_t l = 0; l < model->count; ++l) {
            const layer *layer = &model->layers[l];
            float *y = model->rows[l % 2];
            memcpy(y, layer->bias, sizeof(float) * layer->out);
            for (uint32_t i = 0; i < layer->in; ++i)
                for (uint32_t o = 0; o < layer->out; ++o) y[o] += x[i] * layer->kernel[(size_t)i * layer->out + o];
            layer->activation(y, layer->out);
            x = y;
        }
        memcpy(out, x, sizeof(float) * model->output_size);
    }
}

static const char *const layer_types[] = {"dense", NULL};
static const rtc_loader loader = {RTC_ABI_VERSION, "c99-stranger", "1.0",       "f32",       layer_types, load, prepare,
                                  unload,          input_size,     output_size, reset,       process,     NULL};

RTC_EXPORT const void *rtc_entry(const char *interface_id, uint32_t index) {
    return strcmp(interface_id, RTC_LOADER_INTERFACE) == 0 && index == 0 ? &loader : NULL;
}
