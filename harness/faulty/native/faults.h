// The faults, one per loader, under the names by which the loaders are listed. Each is looked up at the one place
// where it matters; search for Fault::<identifier>.
#pragma once

#include <cstddef>

// clang-format off
#define RTC_FAULTS(X)                                    \
    X(none,                 "good-native")               \
    X(crashes,              "ldr-crashes")               \
    X(hangs,                "ldr-hangs")                 \
    X(calls_exit,           "ldr-calls-exit")            \
    X(skips_unknown,        "ldr-skips-unknown")         \
    X(null_activation,      "ldr-null-activation")       \
    X(zero_fills,           "ldr-zero-fills")            \
    X(short_bias_read,      "ldr-short-bias-read")       \
    X(truncated_accepted,   "ldr-truncated-accepted")    \
    X(trailing_accepted,    "ldr-trailing-accepted")     \
    X(declares_nothing,     "imp-declares-nothing")      \
    X(declares_unknown,     "imp-unknown-class")         \
    X(last_key_wins,        "ldr-last-key-wins")         \
    X(ignores_keys,         "ldr-ignores-keys")          \
    X(wrong_phase,          "ldr-wrong-phase")           \
    X(hides_in_i8,          "imp-declares-weaker-class") \
    X(four_bits,            "imp-four-bits")             \
    X(caches_by_path,       "ldr-caches-by-path")        \
    X(half_loaded,          "ldr-half-loaded")           \
    X(returns_true,         "ldr-returns-true")          \
    X(refuses_keras,        "ldr-refuses-keras")         \
    X(prints,               "run-prints")                \
    X(nan_output,           "run-nan")                   \
    X(nan_after_silence,    "run-nan-after-silence")     \
    X(over_read,            "run-over-read")             \
    X(unwritten_memory,     "run-unwritten-memory")      \
    X(static_scratch,       "run-static-scratch")        \
    X(leaks_fpenv,          "run-leaks-fpenv")           \
    X(changes_locale,       "run-changes-locale")        \
    X(changes_folder,       "run-changes-folder")        \
    X(handles_signal,       "run-handles-signal")        \
    X(fpenv_until_unload,   "run-changes-fpenv-until-unload") \
    X(prints_when_refusing, "run-prints-when-refusing")  \
    X(prints_on_nan,        "run-prints-on-nan")         \
    X(prints_at_exit,       "run-prints-at-exit")        \
    X(empty_block_fpenv,    "run-empty-block-changes-fpenv") \
    X(single_frame_fpenv,   "run-single-frame-changes-fpenv") \
    X(folder_when_refusing, "run-refusal-changes-folder") \
    X(changes_cpp_locale,   "run-changes-cpp-locale")    \
    X(changes_thread_locale,"run-changes-thread-locale") \
    X(changes_variable,     "run-changes-environment-variable") \
    X(blocks_signals,       "run-blocks-signals")        \
    X(changes_umask,        "run-changes-umask")         \
    X(replaces_stream,      "run-replaces-standard-error") \
    X(handles_terminate,    "run-handles-terminate")     \
    X(state_shared,         "run-state-shared")          \
    X(reset_incomplete,     "run-reset-incomplete")      \
    X(state_per_block,      "run-state-per-block")       \
    X(rounding_adds_up,     "run-rounding-adds-up")      \
    X(power_of_two_blocks,  "run-power-of-two-blocks")   \
    X(tail_lanes,           "run-tail-lanes")            \
    X(one_frame_late,       "run-one-frame-late")        \
    X(output_zero_only,     "run-output-zero-only")      \
    X(softmax_overflow,     "run-softmax-overflow")      \
    X(fast_tanh,            "run-fast-tanh")             \
    X(dilation_off_by_one,  "run-dilation-off-by-one")   \
    X(alloc_first_block,    "rt-alloc-first-block")      \
    X(alloc_each_block,     "rt-alloc-each-block")       \
    X(alloc_in_reset,       "rt-alloc-in-reset")         \
    X(alloc_now_and_then,   "rt-alloc-now-and-then")     \
    X(alloc_when_wide,      "rt-alloc-wide")             \
    X(sizes_thread_scratch, "rt-alloc-on-audio-thread")  \
    X(alloc_on_nan,         "rt-alloc-on-nan")           \
    X(alloc_in_silence,     "rt-alloc-in-silence")       \
    X(alloc_after_reset,    "rt-alloc-after-reset")      \
    X(alloc_in_empty_block, "rt-alloc-in-empty-block")   \
    X(alloc_at_sixteen,     "rt-alloc-at-sixteen")       \
    X(alloc_on_switch,      "rt-alloc-on-switch")        \
    X(alloc_in_long_block,  "rt-alloc-in-long-block")    \
    X(frees_unloaded,       "rt-frees-unloaded")         \
    X(prints_when_loud,     "rt-prints-when-loud")       \
    X(allocs_for_thread,    "rt-tls-first-touch")        \
    X(throws,               "rt-throw")                  \
    X(locks,                "rt-lock")                   \
    X(prints_to_stderr,     "rt-printf")                 \
    X(sleeps,               "rt-sleep")                  \
    X(opens_library,        "rt-dlopen")                 \
    X(enters_kernel,        "rt-raw-syscall")            \
    X(touches_fresh_memory, "rt-page-fault")             \
    X(sleeps_12ms,          "lat-sleeps-12ms")           \
    X(spikes,               "lat-spike")                 \
    X(cheats_when_timed,    "lat-cheats-when-timed")     \
    X(remembers_inputs,     "lat-remembers-inputs")      \
    X(unpacks_on_switch,    "lat-unpacks-on-switch")     \
    X(slow_first_block,     "lat-slow-first-block")      \
    X(slow_after_reset,     "lat-slow-after-reset")      \
    X(slow_after_pause,     "lat-slow-after-pause")      \
    X(dear_blocks,          "lat-dear-blocks")           \
    X(dear_at_256,          "lat-dear-at-256")           \
    X(dear_when_fresh,      "lat-dear-fresh-blocks")     \
    X(dear_now_and_then,    "lat-dear-now-and-then")     \
    X(waits_in_blocks,      "lat-waits-in-blocks")       \
    X(slow_first_large,     "lat-slow-first-large-block")\
    X(slow_reset,           "lat-slow-reset")            \
    X(slow_after_reload,    "lat-slow-after-reload")     \
    X(slow_after_rest,      "lat-slow-after-long-pause") \
    X(slow_on_thread,       "lat-slow-on-audio-thread")  \
    X(slow_in_silence,      "lat-slow-in-silence")       \
    X(tires,                "lat-tires")                 \
    X(keeps_6mb,            "mem-keeps-6mb")             \
    X(keeps_6mb_in_mmap,    "mem-in-mmap")               \
    X(leaks,                "mem-leak")                  \
    X(leaks_on_refusal,     "mem-leak-on-refusal")       \
    X(leaks_little,         "mem-leak-small")            \
    X(leaks_conv,           "mem-leak-conv")             \
    X(leaks_in_reset,       "mem-leak-in-reset")         \
    X(keeps_by_path,        "mem-keeps-by-path")         \
    X(leaks_when_shared,    "mem-leak-when-shared")      \
    X(leaks_descriptor,     "mem-leak-descriptor")       \
    X(leaks_thread,         "mem-leak-thread")           \
    X(grows_with_blocks,    "mem-big-prepare")           \
    X(keeps_json,           "mem-doubles")
// clang-format on

namespace rtc_faulty {

#define RTC_FAULT_IDENTIFIER(identifier, name) identifier,
enum class Fault : std::size_t { RTC_FAULTS(RTC_FAULT_IDENTIFIER) };
#undef RTC_FAULT_IDENTIFIER

}  // namespace rtc_faulty
