// Interposers for files and streams.
//
// A stream may have its bytes in a buffer, and then none of these enters the kernel. What always does is here for its
// name, or left to the trap of system calls.
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cwchar>
#include <ios>

#include "interpose.h"

using rtc::probe::Kind;
using rtc::probe::Next;
using rtc::probe::Note;

RTC_PASS_ON(io, ssize_t, read, (int file, void* buffer, size_t bytes), (file, buffer, bytes))
RTC_PASS_ON(io, ssize_t, pread, (int file, void* buffer, size_t bytes, off_t offset), (file, buffer, bytes, offset))
RTC_PASS_ON(io, ssize_t, pread64, (int file, void* buffer, size_t bytes, off64_t offset),
            (file, buffer, bytes, offset))
RTC_PASS_ON(io, ssize_t, readv, (int file, const iovec* parts, int count), (file, parts, count))
RTC_PASS_ON(io, ssize_t, write, (int file, const void* buffer, size_t bytes), (file, buffer, bytes))
RTC_PASS_ON(io, ssize_t, pwrite, (int file, const void* buffer, size_t bytes, off_t offset),
            (file, buffer, bytes, offset))
RTC_PASS_ON(io, ssize_t, pwrite64, (int file, const void* buffer, size_t bytes, off64_t offset),
            (file, buffer, bytes, offset))
RTC_PASS_ON(io, ssize_t, writev, (int file, const iovec* parts, int count), (file, parts, count))
RTC_PASS_ON(io, int, close, (int file), (file))

RTC_PASS_ON(io, FILE*, fopen, (const char* path, const char* mode), (path, mode))
RTC_PASS_ON(io, FILE*, fopen64, (const char* path, const char* mode), (path, mode))
RTC_PASS_ON(io, FILE*, popen, (const char* command, const char* mode), (command, mode))
RTC_PASS_ON(io, int, fclose, (FILE * stream), (stream))
RTC_PASS_ON(io, int, fflush, (FILE * stream), (stream))
RTC_PASS_ON(io, int, fseek, (FILE * stream, long offset, int from), (stream, offset, from))
RTC_PASS_ON(io, int, fseeko, (FILE * stream, off_t offset, int from), (stream, offset, from))
RTC_PASS_ON(io, int, fseeko64, (FILE * stream, off64_t offset, int from), (stream, offset, from))
RTC_PASS_ON(io, void, rewind, (FILE * stream), (stream))
RTC_PASS_ON(io, size_t, fread, (void* buffer, size_t bytes, size_t count, FILE* stream),
            (buffer, bytes, count, stream))
RTC_PASS_ON(io, size_t, __fread_chk, (void* buffer, size_t room, size_t bytes, size_t count, FILE* stream),
            (buffer, room, bytes, count, stream))
RTC_PASS_ON(io, char*, fgets, (char* text, int room, FILE* stream), (text, room, stream))
RTC_PASS_ON(io, char*, __fgets_chk, (char* text, size_t checked, int room, FILE* stream),
            (text, checked, room, stream))
RTC_PASS_ON(io, int, fgetc, (FILE * stream), (stream))
RTC_PASS_ON(io, int, getc, (FILE * stream), (stream))
RTC_PASS_ON(io, int, _IO_getc, (FILE * stream), (stream))
RTC_PASS_ON(io, int, getchar, (), ())
RTC_PASS_ON(io, int, ungetc, (int character, FILE* stream), (character, stream))
RTC_PASS_ON(io, ssize_t, getline, (char** text, size_t* room, FILE* stream), (text, room, stream))
RTC_PASS_ON(io, ssize_t, getdelim, (char** text, size_t* room, int end, FILE* stream), (text, room, end, stream))
RTC_PASS_ON(io, ssize_t, __getdelim, (char** text, size_t* room, int end, FILE* stream), (text, room, end, stream))
RTC_PASS_ON(io, size_t, fwrite, (const void* buffer, size_t bytes, size_t count, FILE* stream),
            (buffer, bytes, count, stream))
RTC_PASS_ON(io, int, fputs, (const char* text, FILE* stream), (text, stream))
RTC_PASS_ON(io, int, fputc, (int character, FILE* stream), (character, stream))
RTC_PASS_ON(io, int, putc, (int character, FILE* stream), (character, stream))
RTC_PASS_ON(io, int, _IO_putc, (int character, FILE* stream), (character, stream))
RTC_PASS_ON(io, int, puts, (const char* text), (text))
RTC_PASS_ON(io, int, putchar, (int character), (character))
RTC_PASS_ON(io, int, vprintf, (const char* format, va_list values), (format, values))
RTC_PASS_ON(io, int, __vprintf_chk, (int flag, const char* format, va_list values), (flag, format, values))
RTC_PASS_ON(io, int, vfprintf, (FILE * stream, const char* format, va_list values), (stream, format, values))
RTC_PASS_ON(io, int, __vfprintf_chk, (FILE * stream, int flag, const char* format, va_list values),
            (stream, flag, format, values))

// What is wide goes through a stream's lock as its narrow brother does; std::wcout comes here one character at a time.
RTC_PASS_ON(io, wint_t, fgetwc, (FILE * stream), (stream))
RTC_PASS_ON(io, wint_t, getwc, (FILE * stream), (stream))
RTC_PASS_ON(io, wint_t, getwchar, (), ())
RTC_PASS_ON(io, wint_t, ungetwc, (wint_t character, FILE* stream), (character, stream))
RTC_PASS_ON(io, wchar_t*, fgetws, (wchar_t * text, int room, FILE* stream), (text, room, stream))
RTC_PASS_ON(io, wchar_t*, __fgetws_chk, (wchar_t * text, size_t checked, int room, FILE* stream),
            (text, checked, room, stream))
RTC_PASS_ON(io, wint_t, fputwc, (wchar_t character, FILE* stream), (character, stream))
RTC_PASS_ON(io, wint_t, putwc, (wchar_t character, FILE* stream), (character, stream))
RTC_PASS_ON(io, wint_t, putwchar, (wchar_t character), (character))
RTC_PASS_ON(io, int, fputws, (const wchar_t* text, FILE* stream), (text, stream))
RTC_PASS_ON(io, int, vwprintf, (const wchar_t* format, va_list values), (format, values))
RTC_PASS_ON(io, int, __vwprintf_chk, (int flag, const wchar_t* format, va_list values), (flag, format, values))
RTC_PASS_ON(io, int, vfwprintf, (FILE * stream, const wchar_t* format, va_list values), (stream, format, values))
RTC_PASS_ON(io, int, __vfwprintf_chk, (FILE * stream, int flag, const wchar_t* format, va_list values),
            (stream, flag, format, values))

// A variable list behind a format is passed on to the function that takes it as one.
#define RTC_FORMATTED(result, name, parameters, onward, first_type, first)        \
    RTC_INTERPOSE result name parameters {                                        \
        static Next<result(first_type, decltype(format), va_list)> next(#onward); \
        const Note note(Kind::io, #name);                                         \
        struct List {                                                             \
            va_list values;                                                       \
            ~List() { va_end(values); }                                           \
        } list;                                                                   \
        va_start(list.values, format);                                            \
        return next.get()(first, format, list.values);                            \
    }

RTC_FORMATTED(int, printf, (const char* format, ...), vfprintf, FILE*, stdout)
RTC_FORMATTED(int, fprintf, (FILE * stream, const char* format, ...), vfprintf, FILE*, stream)
RTC_FORMATTED(int, __printf_chk, (int, const char* format, ...), vfprintf, FILE*, stdout)
RTC_FORMATTED(int, __fprintf_chk, (FILE * stream, int, const char* format, ...), vfprintf, FILE*, stream)
RTC_FORMATTED(int, wprintf, (const wchar_t* format, ...), vfwprintf, FILE*, stdout)
RTC_FORMATTED(int, fwprintf, (FILE * stream, const wchar_t* format, ...), vfwprintf, FILE*, stream)
RTC_FORMATTED(int, __wprintf_chk, (int, const wchar_t* format, ...), vfwprintf, FILE*, stdout)
RTC_FORMATTED(int, __fwprintf_chk, (FILE * stream, int, const wchar_t* format, ...), vfwprintf, FILE*, stream)
RTC_FORMATTED(void, syslog, (int priority, const char* format, ...), vsyslog, int, priority)
RTC_FORMATTED(void, __syslog_chk, (int priority, int, const char* format, ...), vsyslog, int, priority)

// The mode is only there if the flags say that a file may be made.
#define RTC_OPEN(name, type, parameters, ...)                                                    \
    RTC_INTERPOSE int name parameters {                                                          \
        static Next<type> next(#name);                                                           \
        const Note note(Kind::io, #name);                                                        \
        va_list more;                                                                            \
        va_start(more, flags);                                                                   \
        const bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;           \
        const unsigned mode = makes ? va_arg(more, unsigned) : 0;                                \
        va_end(more);                                                                            \
        return next.get()(__VA_ARGS__, mode);                                                    \
    }

RTC_OPEN(open, int(const char*, int, ...), (const char* path, int flags, ...), path, flags)
RTC_OPEN(open64, int(const char*, int, ...), (const char* path, int flags, ...), path, flags)
RTC_OPEN(openat, int(int, const char*, int, ...), (int folder, const char* path, int flags, ...), folder, path, flags)
RTC_OPEN(openat64, int(int, const char*, int, ...), (int folder, const char* path, int flags, ...), folder, path,
         flags)

// What std::ofstream << and its wide brother put into their buffer: virtual functions are looked up by name too.
#define RTC_FILEBUF_XSPUTN(name, character, symbol, shown)                                                           \
    extern "C" __attribute__((visibility("default"))) std::streamsize name(void*, const character*, std::streamsize) \
        __asm__(symbol);                                                                                             \
    std::streamsize name(void* buffer, const character* text, std::streamsize count) {                               \
        static Next<std::streamsize(void*, const character*, std::streamsize)> next(symbol);                         \
        const Note note(Kind::io, shown);                                                                            \
        return next.get()(buffer, text, count);                                                                      \
    }

RTC_FILEBUF_XSPUTN(rtc_filebuf_xsputn, char, "_ZNSt13basic_filebufIcSt11char_traitsIcEE6xsputnEPKcl",
                   "std::filebuf::xsputn")
RTC_FILEBUF_XSPUTN(rtc_wfilebuf_xsputn, wchar_t, "_ZNSt13basic_filebufIwSt11char_traitsIwEE6xsputnEPKwl",
                   "std::wfilebuf::xsputn")
