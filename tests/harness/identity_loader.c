/* A loader as a stranger writes one: plain C99, loader.h and nothing else. Its model passes frames of `width` floats
 * through unchanged; the file holds the width and nothing more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtconform/loader.h"

struct rtc_model {
    uint32_t width;
};

static rtc_status refuse(rtc_error *error, rtc_phase phase, const char *message) {
    error->phase = phase;
    strncpy(error->message, message, sizeof error->message - 1);
    return RTC_ERROR;
}

static rtc_status load(const char *path, rtc_model **model, rtc_error *error) {
    unsigned width = 0;
    int count;
    FILE *file = fopen(path, "r");
    if (file == NULL) return refuse(error, RTC_PHASE_READ, "the file can't be opened");
    count = fscanf(file, "%u", &width);
    fclose(file);
    if (count != 1 || width == 0) return refuse(error, RTC_PHASE_VALIDATE, "expected a width of at least 1");
    *model = malloc(sizeof **model);
    if (*model == NULL) return refuse(error, RTC_PHASE_BUILD, "no memory");
    (*model)->width = width;
    return RTC_OK;
}

static rtc_status prepare(rtc_model *model, uint32_t max_frames, rtc_error *error) {
    (void)model, (void)max_frames, (void)error;
    return RTC_OK;
}

static void unload(rtc_model *model) { free(model); }
static uint32_t size(const rtc_model *model) { return model->width; }
static void reset(rtc_model *model) { (void)model; }

static void process(rtc_model *model, const float *in, float *out, uint32_t frames) {
    memcpy(out, in, sizeof *in * model->width * frames);
}

static const char *const layer_types[] = {NULL};
static const rtc_loader identity = {RTC_ABI_VERSION, "identity", "0.1", "f32", layer_types, load, prepare,
                                    unload, size, size, reset, process, NULL};

RTC_EXPORT const void *rtc_entry(const char *interface_id, uint32_t index) {
    return strcmp(interface_id, RTC_LOADER_INTERFACE) == 0 && index == 0 ? &identity : NULL;
}
