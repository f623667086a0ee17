// What the peers' Python packages do not offer: hnswlib and VSAG with a permission given to them in C++, and the plain
// scan over the visible rows that every index must beat.
//
// In: row-major f32 vectors of unit length, a permission as bitmap and sorted row ids. Out: row ids, best first. Called
// through ctypes; compiled when the comparison runs, with -O3 -march=native and hnswlib's own headers.

#include <dlfcn.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "hnswlib/hnswlib.h"

namespace {

// The rows that somebody may see.
struct Permission : hnswlib::BaseFilterFunctor {
    std::vector<uint64_t> bits;
    std::vector<uint32_t> ids;

    bool may(uint64_t row) const { return bits[row >> 6] >> (row & 63) & 1; }
    bool operator()(hnswlib::labeltype row) override { return may(row); }
};

// The k best so far, best first; for small k an insertion beats a heap.
struct Best {
    size_t k, count = 0;
    float score[64];
    int64_t row[64];

    explicit Best(size_t wanted) : k(wanted < 64 ? wanted : 64) {}
    float worst() const { return count < k ? -INFINITY : score[k - 1]; }
    void offer(float s, int64_t r) {
        size_t at = count < k ? count++ : k - 1;
        for (; at > 0 && score[at - 1] < s; --at) {
            score[at] = score[at - 1];
            row[at] = row[at - 1];
        }
        score[at] = s;
        row[at] = r;
    }
};

// Sixteen floats: one AVX-512 register where the machine has them, otherwise as many as it takes.
typedef float Lanes __attribute__((vector_size(64), aligned(4)));

struct Scan {
    const float* rows;
    size_t n, dim;

    float dot(const float* a, const float* b) const {
        Lanes one = {}, two = {};
        size_t i = 0;
        for (; i + 32 <= dim; i += 32) {
            one += *(const Lanes*)(a + i) * *(const Lanes*)(b + i);
            two += *(const Lanes*)(a + i + 16) * *(const Lanes*)(b + i + 16);
        }
        for (; i + 16 <= dim; i += 16) one += *(const Lanes*)(a + i) * *(const Lanes*)(b + i);
        one += two;
        float sum = 0;
        for (; i < dim; ++i) sum += a[i] * b[i];
        for (int lane = 0; lane < 16; ++lane) sum += one[lane];
        return sum;
    }

    void fetch(size_t row) const {
        const char* at = (const char*)(rows + row * dim);
        for (size_t byte = 0; byte < dim * sizeof(float); byte += 64) __builtin_prefetch(at + byte);
    }

    template <class RowAt>
    void run(const float* question, size_t count, RowAt row_at, Best& best) const {
        const size_t ahead = 4;
        for (size_t i = 0; i < count; ++i) {
            if (i + ahead < count) fetch(row_at(i + ahead));
            const size_t row = row_at(i);
            const float score = dot(question, rows + row * dim);
            if (score > best.worst()) best.offer(score, (int64_t)row);
        }
    }
};

struct Graph {
    hnswlib::InnerProductSpace space;
    hnswlib::HierarchicalNSW<float> index;

    Graph(size_t dim, size_t n, size_t m, size_t ef_construction) : space(dim), index(&space, n, m, ef_construction) {}
    Graph(size_t dim, const char* path) : space(dim), index(&space, path) {}
};

// VSAG's C interface, as the library in its wheel exports it.
namespace vsag {
struct Outcome {
    int code;
    char message[1024];
};
struct Found {
    float* distances;
    int64_t* rows;
    int64_t count;
    void* other;
};
typedef bool (*Filter)(int64_t);
void* (*create)(const char*, const char*);
Outcome (*build)(void*, const float*, const int64_t*, uint64_t, uint64_t);
Outcome (*search)(void*, const float*, uint64_t, int64_t, const char*, Found*);
Outcome (*search_with)(void*, const float*, uint64_t, int64_t, const char*, Filter, Found*);
Outcome (*save)(void*, const char*);
Outcome (*load)(void*, const char*);

// The interface has no place for a context; one search at a time is all this program does.
const Permission* asker;
bool may(int64_t row) { return asker->may((uint64_t)row); }

int say(const Outcome& outcome) {
    if (outcome.code != 0) std::fprintf(stderr, "vsag: %s\n", outcome.message);
    return outcome.code;
}
}  // namespace vsag

}  // namespace

extern "C" {

void* permission_new(const uint32_t* ids, size_t count, size_t n) {
    auto* p = new Permission;
    p->ids.assign(ids, ids + count);
    p->bits.assign((n + 63) / 64, 0);
    for (uint32_t id : p->ids) p->bits[id >> 6] |= uint64_t(1) << (id & 63);
    return p;
}
void permission_free(void* p) { delete (Permission*)p; }

// The matrix stays the caller's.
void* scan_new(const float* rows, size_t n, size_t dim) { return new Scan{rows, n, dim}; }

int scan_search(void* scan, const void* permission, const float* question, size_t k, int64_t* out) {
    auto* s = (Scan*)scan;
    Best best(k);
    if (permission) {
        const auto& ids = ((const Permission*)permission)->ids;
        s->run(question, ids.size(), [&](size_t i) { return (size_t)ids[i]; }, best);
    } else {
        s->run(question, s->n, [](size_t i) { return i; }, best);
    }
    std::memcpy(out, best.row, best.count * sizeof(int64_t));
    return (int)best.count;
}

void* hnsw_build(const float* rows, size_t n, size_t dim, size_t m, size_t ef_construction, size_t threads) {
    auto* graph = new Graph(dim, n, m, ef_construction);
    graph->index.addPoint(rows, 0);
    std::atomic<size_t> next{1};
    auto work = [&] {
        for (size_t row; (row = next++) < n;) graph->index.addPoint(rows + row * dim, row);
    };
    std::vector<std::thread> others;
    for (size_t t = 1; t < threads; ++t) others.emplace_back(work);
    work();
    for (auto& other : others) other.join();
    return graph;
}
void hnsw_save(void* graph, const char* path) { ((Graph*)graph)->index.saveIndex(path); }
void* hnsw_load(size_t dim, const char* path) { return new Graph(dim, path); }

int hnsw_search(void* graph, void* permission, const float* question, size_t k, size_t ef, int64_t* out) {
    auto& index = ((Graph*)graph)->index;
    index.setEf(ef);
    auto found = index.searchKnn(question, k, (Permission*)permission);
    const int count = (int)found.size();
    for (int at = count; at-- > 0; found.pop()) out[at] = (int64_t)found.top().second;
    return count;
}

// 0, or what dlopen or dlsym could not find.
const char* vsag_open(const char* library) {
    void* l = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    if (!l) return dlerror();
    vsag::create = (decltype(vsag::create))dlsym(l, "vsag_index_factory");
    vsag::build = (decltype(vsag::build))dlsym(l, "vsag_index_build");
    vsag::search = (decltype(vsag::search))dlsym(l, "vsag_index_knn_search");
    vsag::search_with = (decltype(vsag::search_with))dlsym(l, "vsag_index_knn_search_with_filter");
    vsag::save = (decltype(vsag::save))dlsym(l, "vsag_serialize_file");
    vsag::load = (decltype(vsag::load))dlsym(l, "vsag_deserialize_file");
    const bool whole = vsag::create && vsag::build && vsag::search && vsag::search_with && vsag::save && vsag::load;
    return whole ? nullptr : "this library lacks a part of the C interface";
}
void* vsag_new(const char* kind, const char* settings) { return vsag::create(kind, settings); }
int vsag_build(void* index, const float* rows, const int64_t* ids, size_t dim, size_t n) {
    return vsag::say(vsag::build(index, rows, ids, dim, n));
}
int vsag_save(void* index, const char* path) { return vsag::say(vsag::save(index, path)); }
int vsag_load(void* index, const char* path) { return vsag::say(vsag::load(index, path)); }

int vsag_search(void* index, const void* permission, const float* question, size_t dim, size_t k, const char* settings,
                int64_t* out) {
    float distances[64];
    vsag::Found found{distances, out, 0, nullptr};
    vsag::asker = (const Permission*)permission;
    const auto outcome = permission ? vsag::search_with(index, question, dim, k, settings, vsag::may, &found)
                                    : vsag::search(index, question, dim, k, settings, &found);
    return vsag::say(outcome) == 0 ? (int)found.count : -1;
}
}
