// The faults, one per pipeline, under the names by which the pipelines are listed. Each is looked up at the one place
// where it matters; search for PipelineFault::<identifier>.
#pragma once

#include <cstddef>

// clang-format off
#define RTC_PIPELINE_FAULTS(X)                                 \
    X(none,                   "good-native-pipeline")          \
    X(wrong_slice,            "pip-wrong-slice")               \
    X(no_fallback,            "pip-no-fallback")               \
    X(nan_poisons,            "pip-nan-poisons")               \
    X(loses_results,          "pip-lost-result")               \
    X(gives_results_twice,    "pip-duplicated-result")         \
    X(publishes_early,        "pip-torn-result")               \
    X(forgets_unread,         "pip-stuck-after-unread")        \
    X(refuses_early,          "pip-refuses-early")             \
    X(says_ok_when_full,      "pip-drops-when-full")           \
    X(miscounts,              "pip-miscounts")                 \
    X(takes_any_model,        "pip-takes-any-model")           \
    X(bad_file_replaces,      "pip-reload-bad-file")           \
    X(keeps_state,            "pip-reload-keeps-state")        \
    X(swaps_late,             "pip-reload-comes-late")         \
    X(swaps_one_by_one,       "pip-reloads-one-by-one")        \
    X(swaps_in_mid_step,      "pip-torn-reload")               \
    X(swap_drops_pending,     "pip-reload-drops-pending")      \
    X(all_or_nothing,         "pip-all-or-nothing")            \
    X(counts_bad_loads,       "pip-stale-after-bad-load")      \
    X(reload_says_ok,         "pip-silent-refusal")            \
    X(close_waits_for_polls,  "pip-shutdown-hang")             \
    X(shares_models,          "pip-shares-models")             \
    X(submit_waits,           "pip-blocks-audio")              \
    X(submit_spins,           "pip-spins")                     \
    X(submit_allocates,       "pip-allocates-in-submit")       \
    X(poll_frees,             "pip-reload-on-audio-thread")    \
    X(poll_locks,             "pip-locks-in-poll")             \
    X(poll_throws,            "pip-throws-in-poll")            \
    X(submit_logs,            "pip-logs-in-submit")            \
    X(submit_wakes,           "pip-wakes-by-system-call")      \
    X(submit_touches_memory,  "pip-touches-fresh-memory")      \
    X(slow,                   "pip-slow")                      \
    X(keeps_8mb,              "pip-keeps-8mb")                 \
    X(leaks_old_models,       "pip-leaks-old-models")          \
    X(leaks_descriptor,       "pip-leaks-descriptor")          \
    X(leaks_thread,           "pip-leaks-thread")              \
    X(prints,                 "pip-prints")                    \
    X(changes_folder,         "pip-changes-folder")            \
    X(submit_leaks_fpenv,     "pip-leaks-fpenv")
// clang-format on

namespace rtc_faulty {

#define RTC_PIPELINE_FAULT_IDENTIFIER(identifier, name) identifier,
enum class PipelineFault : std::size_t { RTC_PIPELINE_FAULTS(RTC_PIPELINE_FAULT_IDENTIFIER) };
#undef RTC_PIPELINE_FAULT_IDENTIFIER

}  // namespace rtc_faulty
