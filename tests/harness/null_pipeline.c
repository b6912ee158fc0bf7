/* A pipeline in C99 that has no room and no results, for tests to break. */
#include <rtconform/pipeline.h>
#include <stddef.h>
#include <string.h>

struct rtc_pipeline {
    int unused;
};
static rtc_pipeline only;

static rtc_status open(const char *dir, rtc_pipeline **pipeline, rtc_error *error) {
    (void)dir, (void)error;
    *pipeline = &only;
    return RTC_OK;
}
static void close(rtc_pipeline *pipeline) { (void)pipeline; }
static uint32_t frame_size(const rtc_pipeline *pipeline) { return (void)pipeline, 128; }
static uint32_t model_count(const rtc_pipeline *pipeline) { return (void)pipeline, 1; }
static const char *model_name(const rtc_pipeline *pipeline, uint32_t model) { return (void)pipeline, (void)model, "One"; }
static uint32_t output_size(const rtc_pipeline *pipeline, uint32_t model) { return (void)pipeline, (void)model, 4; }
static uint32_t capacity(const rtc_pipeline *pipeline) { return (void)pipeline, 8; }
static rtc_status submit(rtc_pipeline *pipeline, uint64_t id, const float *features) {
    (void)pipeline, (void)id, (void)features;
    return RTC_FULL;
}
static uint32_t poll(rtc_pipeline *pipeline, rtc_pipeline_result *result) {
    (void)pipeline, (void)result;
    return 0; /* poll */
}
static rtc_status reload(rtc_pipeline *pipeline, uint32_t model, rtc_error *error) {
    (void)pipeline, (void)model, (void)error;
    error->phase = RTC_PHASE_READ;
    strcpy(error->message, "there is no file");
    return RTC_ERROR;
}
static void status(const rtc_pipeline *pipeline, uint32_t model, rtc_model_status *status) {
    (void)pipeline, (void)model;
    status->state = RTC_MODEL_DISABLED;
}
static void counters(const rtc_pipeline *pipeline, rtc_pipeline_counters *counters) {
    (void)pipeline, (void)counters;
}

static const rtc_pipeline_api null_pipeline = {
    RTC_PIPELINE_ABI_VERSION, "null-pipeline", "1", "f32", open, close, frame_size, model_count, model_name,
    output_size, capacity, submit, poll, reload, status, counters, NULL};

RTC_EXPORT const void *rtc_entry(const char *interface_id, uint32_t index) {
    return strcmp(interface_id, RTC_PIPELINE_INTERFACE) == 0 && index == 0 ? &null_pipeline : NULL;
}
