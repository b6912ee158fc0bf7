/* A JSON reader in C99, just large enough for a loader: a tree of values, strict about the grammar. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } json_kind;

typedef struct json {
    json_kind kind;
    double number;
    bool is_integer;
    char *text, *key;
    struct json *child, *next;
} json;

enum { JSON_MAX_DEPTH = 64 };

static void json_free(json *value) {
    while (value != NULL) {
        json *next = value->next;
        json_free(value->child);
        free(value->text);
        free(value->key);
        free(value);
        value = next;
    }
}

static void json_space(const char **at) { *at += strspn(*at, " \t\r\n"); }

static bool json_take(const char **at, char expected) {
    json_space(at);
    if (**at != expected) return false;
    ++*at;
    json_space(at);
    return true;
}

static size_t json_put_utf8(char *to, unsigned code) {
    const size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
    for (size_t i = length - 1; i > 0; --i, code >>= 6) to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(length == 1 ? code : length == 2 ? 0xc0 | code : 0xe0 | code);
    return length;
}

/* Resolves the escape behind a backslash; 0 if it is none. Halves of a surrogate pair stay halves. */
static size_t json_escape(const char **at, char *to) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = **at != '\0' ? strchr(letters, **at) : NULL;
    if (letter != NULL) return ++*at, *to = meanings[letter - letters], 1;
    if (**at != 'u' || strspn(*at + 1, "0123456789abcdefABCDEF") < 4) return 0;
    const char digits[5] = {(*at)[1], (*at)[2], (*at)[3], (*at)[4], '\0'};
    *at += 5;
    return json_put_utf8(to, (unsigned)strtoul(digits, NULL, 16));
}

/* How long the UTF-8 sequence at `at` is; 0 if it is none. */
static size_t json_utf8(const unsigned char *at) {
    const size_t length = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : *at < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < length; ++i)
        if ((at[i] & 0xc0) != 0x80) return 0;
    const bool too_long = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    const bool no_character = (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf4 && at[1] >= 0x90);
    return too_long || no_character ? 0 : length;
}

static char *json_quoted(const char **at) {
    if (**at != '"') return NULL;
    char *text = calloc(strlen(++*at) + 1, 1), *end = text;
    while (text != NULL && **at != '"') {
        size_t length = (unsigned char)**at < 0x20 ? 0 : json_utf8((const unsigned char *)*at);
        if (**at == '\\') {
            ++*at;
            length = json_escape(at, end);
        } else {
            memcpy(end, *at, length);
            *at += length;
        }
        if (length == 0) return free(text), NULL;
        end += length;
    }
    ++*at;
    return text;
}

/* The number's extent by JSON's grammar, which is narrower than strtod's. */
static bool json_number(const char **at, json *to) {
    static const char digits[] = "0123456789";
    const char *p = *at + (**at == '-');
    size_t n = strspn(p, digits);
    if (n == 0 || (n > 1 && *p == '0')) return false;
    p += n;
    if (*p == '.') {
        if ((n = strspn(++p, digits)) == 0) return false;
        p += n;
    }
    if (*p == 'e' || *p == 'E') {
        ++p;
        if (*p == '+' || *p == '-') ++p;
        if ((n = strspn(p, digits)) == 0) return false;
        p += n;
    }
    to->number = strtod(*at, NULL);
    to->is_integer = strcspn(*at, ".eE") >= (size_t)(p - *at);
    *at = p;
    return true;
}

static bool json_value(const char **at, json *to, int depth);

static bool json_members(const char **at, json *to, int depth, char close) {
    json **link = &to->child;
    if (json_take(at, close)) return true;
    do {
        json *item = calloc(1, sizeof *item);
        if (item == NULL) return false;
        *link = item;
        link = &item->next;
        if (close == '}' && ((item->key = json_quoted(at)) == NULL || !json_take(at, ':'))) return false;
        for (const json *other = to->child; close == '}' && other != item; other = other->next)
            if (strcmp(other->key, item->key) == 0) return false;
        if (!json_value(at, item, depth + 1)) return false;
    } while (json_take(at, ','));
    return json_take(at, close);
}

static bool json_word(const char **at, const char *word) {
    const size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0) return false;
    *at += length;
    return true;
}

static bool json_value(const char **at, json *to, int depth) {
    if (depth > JSON_MAX_DEPTH) return false;
    if (json_take(at, '[')) return to->kind = JSON_ARRAY, json_members(at, to, depth, ']');
    if (json_take(at, '{')) return to->kind = JSON_OBJECT, json_members(at, to, depth, '}');
    if (**at == '"') return to->kind = JSON_STRING, (to->text = json_quoted(at)) != NULL;
    if (json_word(at, "null")) return true;
    if (json_word(at, "true")) return to->kind = JSON_BOOL, to->number = 1, true;
    if (json_word(at, "false")) return to->kind = JSON_BOOL, true;
    to->kind = JSON_NUMBER;
    return json_number(at, to);
}

/* The value of a whole text, NULL if it is not JSON. */
static json *json_parse(const char *text) {
    json *root = calloc(1, sizeof *root);
    const char *at = text;
    json_space(&at);
    const bool ok = root != NULL && json_value(&at, root, 0);
    json_space(&at);
    if (ok && *at == '\0') return root;
    json_free(root);
    return NULL;
}

/* A file as a text, NULL with errno if it can't be read. */
static char *json_read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    char *text = NULL;
    size_t length = 0, got;
    do {
        char *more = realloc(text, length + 65537);
        if (more == NULL) break;
        text = more;
        got = fread(text + length, 1, 65536, file);
        length += got;
        text[length] = '\0';
    } while (got > 0);
    if (ferror(file)) {
        free(text);
        text = NULL;
    }
    fclose(file);
    /* A NUL would end the text early and hide what follows; no control character is JSON. */
    for (size_t i = 0; text != NULL && i < length; ++i)
        if (text[i] == '\0') text[i] = '\1';
    return text;
}

static size_t json_length(const json *value) {
    size_t length = 0;
    if (value != NULL)
        for (const json *item = value->child; item != NULL; item = item->next) ++length;
    return length;
}

static const json *json_item(const json *value, size_t index) {
    const json *item = value != NULL ? value->child : NULL;
    while (item != NULL && index-- > 0) item = item->next;
    return item;
}

static const json *json_member(const json *value, const char *key) {
    if (value == NULL || value->kind != JSON_OBJECT) return NULL;
    for (const json *item = value->child; item != NULL; item = item->next)
        if (strcmp(item->key, key) == 0) return item;
    return NULL;
}

static const char *json_text(const json *value, const char *otherwise) {
    return value == NULL ? otherwise : value->kind == JSON_STRING ? value->text : "?";
}
