/* rtconform/pipeline.h: the pipeline interface, version 1.
 *
 * A pipeline turns a folder of model files into live results: the audio thread hands over one frame of features after
 * the other and picks up results when they are there; what computes them runs elsewhere. Copy this file and loader.h,
 * fill in one rtc_pipeline_api, export rtc_entry, and build a shared library. It compiles as C99 and as C++17.
 *
 *     RTC_EXPORT const void *rtc_entry(const char *interface_id, uint32_t index) {
 *         return strcmp(interface_id, RTC_PIPELINE_INTERFACE) == 0 && index == 0 ? &mine : NULL;
 *     }
 *
 * The life of a pipeline:  open -> (submit | poll | reload | status | counters)* -> close.
 *
 * Words. A *frame* is frame_size floats of features with an id that the caller chose. A *result* is what all models
 * gave for one frame. A model's *fallback* is the documented output that stands in for it while it is missing, broken
 * or switched off. MUST and MUST NOT are requirements that the suite checks; docs/REQUIREMENTS.md names each.
 *
 * Threads. [audio-thread] functions are called by one thread, the same for submit and poll; they MUST NOT allocate or
 * free memory, take a lock, do I/O, make any other system call, sleep, throw, or wait for another thread.
 * [main-thread] functions are called by one other thread at a time, also while the audio thread is in submit or poll;
 * they may allocate, lock and read files. During open and close the audio thread is in no call. Several pipelines may
 * be open at once. What loader.h says of the process (locale, signals, floating-point mode, output) holds here too.
 */
#ifndef RTCONFORM_PIPELINE_H
#define RTCONFORM_PIPELINE_H

#include "loader.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RTC_PIPELINE_ABI_VERSION 1u
#define RTC_PIPELINE_INTERFACE "rtconform.pipeline/1"

/* submit: there is no room. The frame is forgotten and counted, and no result will come for it. */
#define RTC_FULL 2

/* The least that capacity() may say, in frames. */
#define RTC_PIPELINE_MIN_CAPACITY 8u

/* In place of a model's number: all of them. */
#define RTC_ALL_MODELS UINT32_MAX

typedef int32_t rtc_model_state;
#define RTC_MODEL_LOADED 1   /* its file plays */
#define RTC_MODEL_FALLBACK 2 /* its fallback plays, because its file is missing or broken, or it failed while running */
#define RTC_MODEL_DISABLED 3 /* its fallback plays, because it is switched off */

/* What plays in a model's place. */
typedef struct rtc_model_status {
    rtc_model_state state;

    /* The model in this place was loaded as the version-th since open: 0 while there was none, 1 after the first good
     * load, one more with each. A file that is refused changes nothing, nor does a model that fails while running. */
    uint32_t version;

    /* Why it isn't loaded, or why the last file was refused although an older one plays; empty when all is well.
     * NUL-terminated UTF-8. */
    char reason[760];
} rtc_model_status;

/* Frames since open. submitted = accepted + refused; accepted = polled + pending. */
typedef struct rtc_pipeline_counters {
    uint64_t submitted;
    uint64_t refused; /* submit said RTC_FULL */
    uint64_t polled;  /* results that the caller has picked up */
    uint64_t pending; /* accepted, and not yet polled */
} rtc_pipeline_counters;

/* One result. The caller owns the struct and the arrays that it points to, sized by model_count and output_size. */
typedef struct rtc_pipeline_result {
    uint64_t frame_id;
    float *outputs;     /* of all models one behind the other, in the order of model_name */
    uint8_t *fallback;  /* one per model: 1 if these outputs are its fallback, 0 if the model gave them */
    uint32_t *version;  /* one per model: the version (rtc_model_status) in its place at this frame, also where the
                         * outputs are its fallback, for whatever reason */
} rtc_pipeline_result;

/* A pipeline at work. Its content belongs to the implementation. */
typedef struct rtc_pipeline rtc_pipeline;

typedef struct rtc_pipeline_api {
    /* RTC_PIPELINE_ABI_VERSION. */
    uint32_t abi_version;

    /* Static UTF-8 texts, as in rtc_loader. */
    const char *name;
    const char *version;
    const char *numeric_class;

    /* Starts on the models in a folder, with cleared state. A file that is missing or broken is no error: its model
     * plays its fallback, and status says why. RTC_ERROR only where no pipeline can be had (threads, memory); then
     * nothing is left to close. [main-thread] */
    rtc_status (*open)(const char *models_dir_utf8, rtc_pipeline **pipeline, rtc_error *error);

    /* Stops and frees everything, in any state: with frames pending, with results unread, right after open, after a
     * failed reload. MUST return within two seconds. NULL is harmless. [main-thread] */
    void (*close)(rtc_pipeline *pipeline);

    /* Floats per frame of features. Constant. [any thread] */
    uint32_t (*frame_size)(const rtc_pipeline *pipeline);

    /* The models in the order in which results hold them. Constant from open on. [any thread] */
    uint32_t (*model_count)(const rtc_pipeline *pipeline);
    const char *(*model_name)(const rtc_pipeline *pipeline, uint32_t model);
    uint32_t (*output_size)(const rtc_pipeline *pipeline, uint32_t model);

    /* How many frames can be pending before submit says RTC_FULL; at least RTC_PIPELINE_MIN_CAPACITY. Constant.
     * [any thread] */
    uint32_t (*capacity)(const rtc_pipeline *pipeline);

    /* Takes a copy of one frame and returns at once: RTC_OK, and one result with this id will come, in the order of
     * submission; or RTC_FULL. While fewer than capacity() frames are pending it MUST say RTC_OK.
     * A frame that holds NaN or infinity reaches no model: all outputs of its result are fallbacks, and the state of
     * the models stays as it was. [audio-thread] */
    rtc_status (*submit)(rtc_pipeline *pipeline, uint64_t frame_id, const float *features);

    /* 1 and *result filled with the oldest result that is ready, or 0 and *result untouched. Never waits.
     * [audio-thread] */
    uint32_t (*poll)(rtc_pipeline *pipeline, rtc_pipeline_result *result);

    /* Reads the file of one model again, or of all, builds what it holds off the audio thread, and swaps it in between
     * two frames. From the first frame that is submitted after the call, and maybe from an earlier one that is still
     * pending, the new model plays, from cleared state; of all models, the swap is before the same frame.
     * A file that is missing, broken, or of another model (with other layers, even if its sizes are right) leaves what
     * plays as it is: RTC_ERROR, *error about the first such file as load of loader.h fills it, and the other files
     * take effect. [main-thread] */
    rtc_status (*reload)(rtc_pipeline *pipeline, uint32_t model, rtc_error *error);

    /* What plays in a model's place, for frames submitted from now on: all reloads so far have taken effect.
     * [main-thread] */
    void (*status)(const rtc_pipeline *pipeline, uint32_t model, rtc_model_status *status);

    /* Exact while the audio thread is in no call. [main-thread] */
    void (*counters)(const rtc_pipeline *pipeline, rtc_pipeline_counters *counters);

    /* An optional interface by name, NULL if there is none; RTC_EXT_BUILD_INFO as for loaders. May itself be NULL.
     * [main-thread] */
    const void *(*extension)(const char *id);
} rtc_pipeline_api;

#ifdef __cplusplus
}
#endif

#endif /* RTCONFORM_PIPELINE_H */
