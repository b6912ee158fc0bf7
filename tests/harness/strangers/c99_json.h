/* A JSON reader in C99, just large enough for a loader: a tree of values, strict about the grammar except for escapes in
 * strings, which it keeps as they are. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } json_kind;

typedef struct json {
    json_kind kind;
    double number;
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

static char *json_quoted(const char **at) {
    if (**at != '"') return NULL;
    const char *begin = ++*at;
    for (; **at != '"'; ++*at) {
        if ((unsigned char)**at < 0x20) return NULL;
        if (**at == '\\' && *++*at == '\0') return NULL;
    }
    const size_t length = (size_t)(*at - begin);
    char *text = calloc(length + 1, 1);
    if (text != NULL) memcpy(text, begin, length);
    ++*at;
    return text;
}

/* The number's extent by JSON's grammar, which is narrower than strtod's. */
static bool json_number(const char **at, double *number) {
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
    *number = strtod(*at, NULL);
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
    if (json_word(at, "true") || json_word(at, "false")) return to->kind = JSON_BOOL, true;
    to->kind = JSON_NUMBER;
    return json_number(at, &to->number);
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
