/* Coverage of a compiled stage for libFuzzer, linked into every module of a SWIPEGATE_FUZZ=1 build.
 *
 * gcc calls __sanitizer_cov_trace_pc at each basic block, which libFuzzer itself no longer takes; here every
 * pair of blocks that follow each other, an edge, gets a counter of libFuzzer's. The blocks are counted too:
 * a measure of work that, other than time, is the same at every run.
 */
#include <dlfcn.h>
#include <stdint.h>

enum {
    EDGES = 1 << 14, /* of one module; the largest has about 5,000 */
    SLOTS = 2 * EDGES
};

#pragma GCC visibility push(hidden) /* every module has its own of all this */
#define EXPORTED __attribute__((visibility("default")))
#define UNCOUNTED __attribute__((no_sanitize_coverage, no_sanitize("address", "undefined")))

EXPORTED uint64_t swipegate_blocks; /* run since the module was loaded */
static uint8_t counters[EDGES];
static uintptr_t places[EDGES][2]; /* libFuzzer's table of an edge's address and flags */
static uint64_t keys[SLOTS];       /* edges by their hash; 0 for none */
static uint16_t numbers[SLOTS];
static unsigned edges;
static uint64_t previous;

UNCOUNTED void __sanitizer_cov_trace_pc(void)
{
    uint64_t here = (uint64_t)(uintptr_t)__builtin_return_address(0) & 0xffffffffu;
    uint64_t key = previous << 32 | here;
    unsigned slot = (unsigned)(key * 0x9e3779b97f4a7c15u >> 49);

    previous = here;
    swipegate_blocks++;
    while (keys[slot % SLOTS] != key) {
        if (keys[slot % SLOTS] == 0) {
            if (edges == EDGES)
                return;
            places[edges][0] = (uintptr_t)__builtin_return_address(0);
            numbers[slot % SLOTS] = (uint16_t)edges++;
            keys[slot % SLOTS] = key;
            break;
        }
        slot++;
    }
    counters[numbers[slot % SLOTS]]++;
}

/* What is compared with what. A sanitizer's runtime has empty functions of these names and comes first, so they
 * are hidden here and passed on to the engine; a tail call keeps the caller's address, which tells them apart. */
#define COMPARISON(name, type)                                        \
    static void (*pass_##name)(type, type);                           \
    UNCOUNTED void __sanitizer_cov_trace_##name(type one, type other) \
    {                                                                 \
        if (pass_##name)                                              \
            pass_##name(one, other);                                  \
    }
COMPARISON(cmp1, uint8_t)
COMPARISON(cmp2, uint16_t)
COMPARISON(cmp4, uint32_t)
COMPARISON(cmp8, uint64_t)
COMPARISON(const_cmp1, uint8_t)
COMPARISON(const_cmp2, uint16_t)
COMPARISON(const_cmp4, uint32_t)
COMPARISON(const_cmp8, uint64_t)
static void (*pass_switch)(uint64_t, void *);
UNCOUNTED void __sanitizer_cov_trace_switch(uint64_t value, void *cases)
{
    if (pass_switch)
        pass_switch(value, cases);
}
UNCOUNTED void __sanitizer_cov_trace_cmpf(float one, float other) { (void)one, (void)other; }
UNCOUNTED void __sanitizer_cov_trace_cmpd(double one, double other) { (void)one, (void)other; }

/* Tell libFuzzer, an open library, of this module's counters; 0 when it lacks a function. */
EXPORTED UNCOUNTED int swipegate_cover(void *engine)
{
    void (*add_counters)(uint8_t *, uint8_t *);
    void (*add_places)(uintptr_t *, uintptr_t *);

    *(void **)&add_counters = dlsym(engine, "__sanitizer_cov_8bit_counters_init");
    *(void **)&add_places = dlsym(engine, "__sanitizer_cov_pcs_init");
    if (!add_counters || !add_places)
        return 0;
    add_counters(counters, counters + EDGES);
    add_places(places[0], places[EDGES]);
#define PASS(name) *(void **)&pass_##name = dlsym(engine, "__sanitizer_cov_trace_" #name)
    PASS(cmp1), PASS(cmp2), PASS(cmp4), PASS(cmp8);
    PASS(const_cmp1), PASS(const_cmp2), PASS(const_cmp4), PASS(const_cmp8), PASS(switch);
    return 1;
}
