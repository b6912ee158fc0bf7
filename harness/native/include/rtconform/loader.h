/* rtconform/loader.h: the loader interface, ABI version 1.
 *
 * A loader turns an RTNeural JSON file into a model that maps frames of floats to frames of floats, one frame after
 * the other, with state. This header is all that an implementation needs: copy it, fill in one rtc_loader, export
 * rtc_entry, and build a shared library. It compiles as C99 and as C++17 and includes nothing of rtconform.
 *
 *     static const rtc_loader mine = { RTC_ABI_VERSION, "mine", "1.0", "f32", layer_types, load, prepare, unload,
 *                                      input_size, output_size, reset, process, extension };
 *     RTC_EXPORT const void *rtc_entry(const char *interface_id, uint32_t index) {
 *         return strcmp(interface_id, RTC_LOADER_INTERFACE) == 0 && index == 0 ? &mine : NULL;
 *     }
 *
 * The life of a model:  load -> prepare -> (process | reset)* -> unload.
 *
 * Words. A *frame* is input_size floats going in and output_size floats coming out. A *block* is the frames of one
 * call of process. MUST and MUST NOT are requirements that the suite checks; docs/REQUIREMENTS.md names each.
 *
 * Threads. Each function's comment ends with its thread. [main-thread] functions are called by one thread at a time
 * and may allocate, lock and read files. [audio-thread] functions MUST NOT allocate or free memory, take a lock, do
 * I/O, make any other system call, sleep or throw, whatever the frames hold. They may come from another thread than
 * load and prepare, for which what is kept per thread isn't there yet. Calls on one model never overlap. Calls on
 * *different* models may run on different threads at the same time, so models MUST NOT share anything that process or
 * reset writes.
 *
 * Process. Neither opening the library nor a call may change a locale (C's, C++'s, the thread's), the working
 * directory, environment variables, the umask, standard input, output or error, signal handlers or masks, the handlers
 * of std::terminate and new, or the floating-point mode (rounding, flush-to-zero, denormals-are-zero), end the
 * process, or write to standard output. A mode that is set inside a call MUST be as before when it returns. No
 * exception may leave any function.
 */
#ifndef RTCONFORM_LOADER_H
#define RTCONFORM_LOADER_H

#include <stdint.h>

#define RTC_ABI_VERSION 1u
#define RTC_LOADER_INTERFACE "rtconform.loader/1"

#if defined(_WIN32)
#define RTC_EXPORT_ATTRIBUTE __declspec(dllexport)
#else
#define RTC_EXPORT_ATTRIBUTE __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
#define RTC_EXPORT extern "C" RTC_EXPORT_ATTRIBUTE
extern "C" {
#else
#define RTC_EXPORT RTC_EXPORT_ATTRIBUTE
#endif

/* What a call came to. Anything but RTC_OK is a refusal, and *error says why. */
typedef int32_t rtc_status;
#define RTC_OK 0
#define RTC_ERROR 1

/* How far a load got before it was refused. */
typedef int32_t rtc_phase;
#define RTC_PHASE_NONE 0
#define RTC_PHASE_READ 1     /* the file can't be opened or read */
#define RTC_PHASE_PARSE 2    /* the text is not JSON */
#define RTC_PHASE_VALIDATE 3 /* the JSON is not a model that this loader knows */
#define RTC_PHASE_BUILD 4    /* a valid model could not be constructed or prepared (memory, size limits) */

/* Owned by the caller, zeroed by the caller before the call, filled by the callee. Both texts are NUL-terminated
 * UTF-8, cut to fit. json_path names the place in the file ("$.layers[2].weights[0]"), or is empty. */
typedef struct rtc_error {
    rtc_phase phase;
    char json_path[256];
    char message[764];
} rtc_error;

/* A loaded model. Its content belongs to the loader. */
typedef struct rtc_model rtc_model;

typedef struct rtc_loader {
    /* RTC_ABI_VERSION. */
    uint32_t abi_version;

    /* Static UTF-8 texts, valid as long as the library is loaded. numeric_class is the arithmetic that the outputs are
     * judged by: "f32" (weights as stored, arithmetic in float32), or another class that the suite's list names. */
    const char *name;
    const char *version;
    const char *numeric_class;

    /* The layer types that load accepts ("dense", "lstm", "activation", ...), NULL-terminated. A type listed here is
     * judged; a file with another type MUST be refused. */
    const char *const *layer_types;

    /* Reads the file and builds a model: RTC_OK and *model, or RTC_ERROR, *error filled and *model NULL. A failed load
     * leaves nothing to unload and changes no other model. A file that breaks the format anywhere MUST be refused.
     * path_utf8 is absolute or relative to the working directory. [main-thread] */
    rtc_status (*load)(const char *path_utf8, rtc_model **model, rtc_error *error);

    /* Called once after load and before the first process or reset: makes room for blocks of up to max_frames frames
     * (1 to 4096). After it, the state is that of reset. May allocate. [main-thread] */
    rtc_status (*prepare)(rtc_model *model, uint32_t max_frames, rtc_error *error);

    /* Gives back everything that load and prepare took for the model: memory, files, threads. NULL is harmless.
     * [main-thread] */
    void (*unload)(rtc_model *model);

    /* Floats per frame, constant from load on. [any thread] */
    uint32_t (*input_size)(const rtc_model *model);
    uint32_t (*output_size)(const rtc_model *model);

    /* Sets all state (hidden and cell values, delay lines) to what it was after prepare, so that the same frames give
     * the same bits again. [audio-thread] */
    void (*reset)(rtc_model *model);

    /* Maps `frames` frames in order, carrying state from one to the next and from call to call. Frames are row-major:
     * in[f * input_size + i] and out[f * output_size + o]. frames is 0 to max_frames; 0 changes nothing. How a signal
     * is cut into blocks changes no output. Both pointers have the alignment of float and no more; in and out never
     * overlap; nothing outside the frames given is read or written.
     * A frame that holds NaN or infinity may give any outputs, and may spoil the state until the next reset; it MUST
     * NOT crash, hang, or touch another model, and after reset the outputs are again as if it had never been seen.
     * [audio-thread] */
    void (*process)(rtc_model *model, const float *in, float *out, uint32_t frames);

    /* An optional interface by name, NULL if there is none: the way in which this ABI grows. May itself be NULL.
     * [main-thread] */
    const void *(*extension)(const char *id);
} rtc_loader;

/* Optional extension: how the library was built. It becomes part of the loader's identity in reports, and a known
 * failure can be tied to source_hash. Static texts; NULL where unknown. */
#define RTC_EXT_BUILD_INFO "rtconform.build-info/1"
typedef struct rtc_build_info {
    const char *compiler;
    const char *flags;
    const char *source_hash;
} rtc_build_info;

/* The one symbol that a library exports. With RTC_LOADER_INTERFACE it returns `const rtc_loader *` number `index`,
 * NULL past the last; for any interface that it doesn't know, NULL. The library is opened with RTLD_NOW | RTLD_LOCAL.
 * [main-thread] */
RTC_EXPORT const void *rtc_entry(const char *interface_id, uint32_t index);

#ifdef __cplusplus
}
#endif

#endif /* RTCONFORM_LOADER_H */
