/* The plain C loop that the track core is measured against: what a good engineer writes in an afternoon, for stripes
 * in good order. One kind of input a row, no repair, no tolerance beyond what the row needs, no message format.
 *
 *   plain ROW FILE     prints the answer, then for each count on standard input the nanoseconds of CPU of that many runs
 */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TEXT_MAX = 128,    /* bytes of a track, of a field */
    BITS_MAX = 8192,   /* of a track */
    PEAKS_MAX = 16384, /* of a signal */
    RESULTS = 1000,    /* kept at a time, as many as a message of swipes */
};

struct fields {
    char format, pan[20], name[27], surname[27], first[27], expiry[5], service[4], discretionary[TEXT_MAX];
    int luhn;
};

struct result {
    char text[3][TEXT_MAX];
    struct fields track[3];
    char part[20][20]; /* of track 3 */
    char number[20];
};

struct input {
    unsigned char *data;
    size_t length;
};

static int copy(char *to, size_t room, const char *from, size_t length) {
    if (length >= room) return 0;
    memcpy(to, from, length);
    to[length] = 0;
    return 1;
}

static int all_digits(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (text[i] < '0' || text[i] > '9') return 0;
    return length > 0;
}

static int luhn(const char *digits) {
    static const int doubled[10] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
    int sum = 0, twice = 0;
    for (size_t i = strlen(digits); i-- > 0; twice = !twice) sum += twice ? doubled[digits[i] - '0'] : digits[i] - '0';
    return sum % 10 == 0;
}

/* Expiry and service code, each a separator where it is missing, then discretionary data up to the end. */
static int parse_additional(const char *at, const char *end, char separator, struct fields *out) {
    if (at < end && *at == separator) at++;
    else if (end - at >= 4 && all_digits(at, 4)) copy(out->expiry, sizeof out->expiry, at, 4), at += 4;
    else return 0;
    if (at < end && *at == separator) at++;
    else if (end - at >= 3 && all_digits(at, 3)) copy(out->service, sizeof out->service, at, 3), at += 3;
    else return 0;
    return copy(out->discretionary, sizeof out->discretionary, at, end - at);
}

static int parse_pan(const char *from, const char *to, struct fields *out) {
    if (!all_digits(from, to - from) || !copy(out->pan, sizeof out->pan, from, to - from)) return 0;
    out->luhn = luhn(out->pan);
    return 1;
}

static int parse_track1(const char *text, size_t length, struct fields *out) {
    const char *end = memchr(text, '?', length), *at = text + 2, *stop;
    if (length < 4 || text[0] != '%' || !end) return 0;
    out->format = text[1];
    if (!(stop = memchr(at, '^', end - at)) || !parse_pan(at, stop, out)) return 0;
    at = stop + 1;
    if (!(stop = memchr(at, '^', end - at)) || !copy(out->name, sizeof out->name, at, stop - at)) return 0;
    const char *slash = memchr(at, '/', stop - at);
    if (slash) {
        const char *blank = memchr(slash, ' ', stop - slash);
        copy(out->surname, sizeof out->surname, at, slash - at);
        copy(out->first, sizeof out->first, slash + 1, (blank ? blank : stop) - slash - 1);
    }
    return parse_additional(stop + 1, end, '^', out);
}

static int parse_track2(const char *text, size_t length, struct fields *out) {
    const char *end = memchr(text, '?', length), *stop;
    if (length < 3 || text[0] != ';' || !end) return 0;
    if (!(stop = memchr(text, '=', end - text)) || !parse_pan(text + 1, stop, out)) return 0;
    return parse_additional(stop + 1, end, '=', out);
}

static int row_tracks12(const struct input *in, struct result *out) {
    const char *line = (const char *)in->data, *second = memchr(line, ';', in->length);
    if (!second) return 0;
    size_t first = second - line;
    if (!copy(out->text[0], TEXT_MAX, line, first) || !copy(out->text[1], TEXT_MAX, second, in->length - first)) return 0;
    if (!parse_track1(out->text[0], first, &out->track[0])) return 0;
    if (!parse_track2(out->text[1], in->length - first, &out->track[1])) return 0;
    strcpy(out->number, out->track[1].pan);
    return 1;
}

static int row_track2(const struct input *in, struct result *out) {
    if (!copy(out->text[1], TEXT_MAX, (const char *)in->data, in->length)) return 0;
    if (!parse_track2(out->text[1], in->length, &out->track[1])) return 0;
    strcpy(out->number, out->track[1].pan);
    return 1;
}

/* AAMVA, as three tracks in one line: state, city, names, address; IIN and licence number, dates; the rest by place. */
static int row_aamva(const struct input *in, struct result *out) {
    const char *at = (const char *)in->data, *end = at + in->length, *stop;
    for (int track = 0; track < 3; track++, at = stop + 1)
        if (!(stop = memchr(at, '?', end - at)) || !copy(out->text[track], TEXT_MAX, at, stop + 1 - at)) return 0;
    struct fields *one = &out->track[0], *two = &out->track[1], *three = &out->track[2];
    const char *text = out->text[0], *caret = strchr(text, '^'), *names = caret, *dollar;
    if (text[0] != '%' || !caret || !(caret = strchr(names + 1, '^'))) return 0;
    copy(one->service, sizeof one->service, text + 1, 2);
    copy(one->discretionary, TEXT_MAX, text + 3, names - text - 3);
    if (!copy(one->name, sizeof one->name, names + 1, caret - names - 1)) return 0;
    if ((dollar = strchr(one->name, '$'))) {
        const char *next = strchr(dollar + 1, '$');
        copy(one->surname, sizeof one->surname, one->name, dollar - one->name);
        copy(one->first, sizeof one->first, dollar + 1, next ? (size_t)(next - dollar - 1) : strlen(dollar + 1));
    }
    text = out->text[1];
    if (text[0] != ';' || !(stop = strchr(text, '=')) || !all_digits(text + 1, stop - text - 1)) return 0;
    copy(two->pan, sizeof two->pan, text + 1, stop - text - 1);
    copy(two->expiry, sizeof two->expiry, stop + 1, 4);
    if (!all_digits(stop + 5, 8)) return 0;
    copy(two->discretionary, TEXT_MAX, stop + 5, 8);
    text = out->text[2];
    if (strlen(text) < 40) return 0;
    copy(three->pan, sizeof three->pan, text + 3, 11);
    copy(three->discretionary, TEXT_MAX, text + 3, 40 - 3);
    return 1;
}

/* ISO/IEC 4909: fields of fixed width, each a separator where it is missing, two account numbers that end in one. */
static int row_track3(const struct input *in, struct result *out) {
    static const int widths[] = {3, 3, 1, 4, 4, 4, 2, 1, 6, 1, 2, 2, 2, 4, 1, 9, -1, -1, 1, 6};
    enum { EXPIRY = 13 };
    struct fields *fields = &out->track[2];
    char *text = out->text[2];
    if (!copy(text, TEXT_MAX, (const char *)in->data, in->length)) return 0;
    const char *end = strchr(text, '?'), *stop = strchr(text, '=');
    if (text[0] != ';' || !end || !stop || !all_digits(text + 1, 2) || !parse_pan(text + 3, stop, fields)) return 0;
    copy(fields->service, sizeof fields->service, text + 1, 2);
    const char *at = stop + 1;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        char *to = i == EXPIRY ? fields->expiry : out->part[i];
        size_t room = i == EXPIRY ? sizeof fields->expiry : sizeof out->part[i];
        int width = widths[i];
        if (width < 0) {
            if (!(stop = memchr(at, '=', end - at)) || !copy(to, room, at, stop - at)) return 0;
            at = stop + 1;
        } else if (at < end && *at == '=') {
            at++;
        } else {
            if (end - at < width || !all_digits(at, width) || !copy(to, room, at, width)) return 0;
            at += width;
        }
    }
    strcpy(out->number, fields->pan);
    return copy(fields->discretionary, TEXT_MAX, at, end - at);
}

/* Characters from the start sentinel, the first 1 of the bits, to the LRC. */
static int read_bits(const unsigned char *bits, int count, int width, char *text) {
    const char base = width == 7 ? 0x20 : 0x30, start = width == 7 ? '%' : ';';
    int at = 0, check = 0, length = 0;
    while (at < count && !bits[at]) at++;
    for (int ended = 0; at + width <= count; at += width) {
        int value = 0, parity = 0;
        for (int k = 0; k < width; k++) parity ^= bits[at + k];
        for (int k = 0; k < width - 1; k++) value |= bits[at + k] << k;
        check ^= value;
        if (!parity) return 0;
        if (ended) return check == 0;
        if (length == TEXT_MAX - 1) return 0;
        text[length++] = base + value;
        text[length] = 0;
        if (text[0] != start) return 0;
        ended = text[length - 1] == '?';
    }
    return 0;
}

/* Either way round. */
static int read_both(unsigned char *bits, int count, int width, char *text) {
    if (read_bits(bits, count, width, text)) return 1;
    for (int i = 0, j = count - 1; i < j; i++, j--) {
        unsigned char bit = bits[i];
        bits[i] = bits[j], bits[j] = bit;
    }
    return read_bits(bits, count, width, text);
}

static int fields_of(int width, struct result *out) {
    int track = width == 5;
    char *text = out->text[track];
    if (!(track ? parse_track2 : parse_track1)(text, strlen(text), &out->track[track])) return 0;
    strcpy(out->number, out->track[track].pan);
    return 1;
}

static int row_bits(const struct input *in, struct result *out, int width) {
    unsigned char bits[BITS_MAX];
    int count = in->length * 8;
    if (count > BITS_MAX) return 0;
    for (int i = 0; i < count; i++) bits[i] = in->data[i / 8] >> (7 - i % 8) & 1;
    return read_both(bits, count, width, out->text[width == 5]) && fields_of(width, out);
}

static int row_bits5(const struct input *in, struct result *out) { return row_bits(in, out, 5); }
static int row_bits7(const struct input *in, struct result *out) { return row_bits(in, out, 7); }

/* F2F: a short interval is half a one; the cell follows the swipe. */
static int read_f2f(const uint32_t *times, int count, struct result *out) {
    unsigned char bits[BITS_MAX];
    int length = 0;
    double cell = 0;
    if (count < 16) return 0;
    for (int i = 1; i < 9; i++) cell += times[i] / 8.0;
    for (int i = 0; i < count && length < BITS_MAX; i++) {
        double whole = times[i];
        if (times[i] < 0.75 * cell && i + 1 < count) {
            whole += times[++i];
            bits[length++] = 1;
        } else {
            bits[length++] = 0;
        }
        cell += 0.5 * (whole - cell);
    }
    return read_both(bits, length, 5, out->text[1]) && fields_of(5, out);
}

static int row_intervals(const struct input *in, struct result *out) {
    return read_f2f((const uint32_t *)in->data, in->length / sizeof(uint32_t), out);
}

/* Peaks of alternating sign, each given away by a fall of an eighth of the greatest, placed by a parabola. */
static int row_samples(const struct input *in, struct result *out) {
    const int16_t *pcm = (const int16_t *)in->data;
    int count = in->length / sizeof *pcm, peaks = 0, best = 0, sign = 1, top = 0;
    static uint32_t times[PEAKS_MAX];
    double last = -1;
    for (int i = 0; i < count; i++) top = abs(pcm[i]) > top ? abs(pcm[i]) : top;
    for (int i = 1; i < count; i++) {
        int height = sign * pcm[i], highest = sign * pcm[best];
        if (height > highest) best = i;
        else if (highest - height > top / 8 && highest > top / 16 && best > 0 && peaks < PEAKS_MAX) {
            int left = sign * pcm[best - 1], right = sign * pcm[best + 1], bend = left - 2 * highest + right;
            double place = best + (bend ? 0.5 * (left - right) / bend : 0);
            if (last >= 0) times[peaks++] = (place - last) * 1000;
            last = place, best = i, sign = -sign;
        }
    }
    return read_f2f(times, peaks, out);
}

static const struct {
    const char *name;
    int (*run)(const struct input *, struct result *);
} ROWS[] = {
    {"tracks12", row_tracks12}, {"track2", row_track2}, {"aamva", row_aamva}, {"track3", row_track3},
    {"bits5", row_bits5}, {"bits7", row_bits7}, {"intervals", row_intervals}, {"samples", row_samples},
};

static struct input read_file(const char *path) {
    struct input in = {malloc(1 << 24), 0};
    FILE *file = fopen(path, "rb");
    if (!file || !in.data) exit(2);
    in.length = fread(in.data, 1, 1 << 24, file);
    fclose(file);
    return in;
}

static void print_answer(const struct result *out) {
    for (int i = 0; i < 3; i++) {
        const struct fields *f = &out->track[i];
        printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t", out->text[i], f->pan, f->name, f->surname, f->first, f->expiry,
               f->service, f->discretionary, f->luhn);
    }
    printf("%s\n", out->number);
    fflush(stdout);
}

int main(int argc, char **argv) {
    static struct result out[RESULTS];
    struct timespec from, to;
    long count;
    for (size_t row = 0; argc == 3 && row < sizeof ROWS / sizeof *ROWS; row++) {
        if (strcmp(argv[1], ROWS[row].name)) continue;
        struct input in = read_file(argv[2]);
        if (!ROWS[row].run(&in, &out[0])) return 3;
        print_answer(&out[0]);
        while (scanf("%ld", &count) == 1) {
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
            for (long i = 0; i < count; i++) {
                struct result *one = &out[i % RESULTS];
                memset(one, 0, sizeof *one);
                if (!ROWS[row].run(&in, one)) return 3;
                __asm__ volatile("" : : "r"(one) : "memory");
            }
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
            printf("%lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec);
            fflush(stdout);
        }
        return 0;
    }
    return 2;
}
