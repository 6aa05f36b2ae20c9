// Stats: names are interned on the main thread, values live in per-worker cells with one writer each.
//
// StatsRegistry (main thread) turns a dotted name of Envoy's ("cluster.NAME.upstream_rq_2xx") into a small handle.
// StatsCells (one per worker, one for main) holds the values: its owner adds with plain loads and relaxed stores, no
// read-modify-write and no lock; main reads any time by summing over all cells.
//
//   Scope scope = registry.scope("cluster", "backend");       // main
//   Counter total = scope.counter("upstream_rq_total");       // main; handles are values, copy them into snapshots
//   cells.add(total);                                         // the worker that owns `cells`
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sluice::observability {

// Handles. A default-made one counts into a cell that nobody reads.
struct Counter {
  uint32_t id = 0;
};
struct Gauge {
  uint32_t id = 0;
};
struct Histogram {
  uint32_t id = 0;
};

// Log-linear buckets: eight to each power of two, so a bound is off by at most one eighth. Values of 2^32 and more
// count as 2^32 - 1.
class HistogramCells {
 public:
  static constexpr size_t kBuckets = 240;

  static size_t bucketOf(uint64_t value);
  // Smallest and largest value of a bucket, inclusive.
  static std::pair<uint64_t, uint64_t> boundsOf(size_t bucket);

  std::array<std::atomic<uint64_t>, kBuckets> buckets{};
  std::atomic<uint64_t> sum{0};
};
static_assert(sizeof(HistogramCells) <= 2048);

// The values of one thread. Only the owner writes; the registry reads from main at any time.
// Chunks are made on first use, so a worker pays only for the stats that it touches.
class StatsCells {
 public:
  StatsCells() = default;
  ~StatsCells();
  StatsCells(const StatsCells&) = delete;
  StatsCells& operator=(const StatsCells&) = delete;

  void add(Counter counter, uint64_t n = 1) { bump(cell(counter.id), n); }
  void add(Gauge gauge, uint64_t n = 1) { bump(cell(gauge.id), n); }
  void sub(Gauge gauge, uint64_t n = 1) { bump(cell(gauge.id), -n); }
  // The whole gauge is the sum over workers: set from one thread only, or use add and sub.
  void set(Gauge gauge, int64_t value) {
    cell(gauge.id).store(static_cast<uint64_t>(value), std::memory_order_relaxed);
  }
  // A count that is kept elsewhere; from one thread only, as above.
  void set(Counter counter, uint64_t value) { cell(counter.id).store(value, std::memory_order_relaxed); }
  // `value` in the unit that the name tells (milliseconds for *_time and *_ms, bytes for *_size).
  void record(Histogram histogram, uint64_t value);

  // This thread's share; any thread may read.
  uint64_t read(uint32_t id) const;
  const HistogramCells* histogram(uint32_t id) const;
  // Back to zero, on main: no thread has a handle of it any more.
  void clear(uint32_t id);
  void clearHistogram(uint32_t id);

  static constexpr uint32_t kChunkSize = 512;
  static constexpr uint32_t kChunks = 4096;
  static constexpr uint32_t kMaxIds = kChunkSize * kChunks;

 private:
  template <typename Cell>
  using Chunk = std::array<Cell, kChunkSize>;
  using Cell = std::atomic<uint64_t>;
  using HistogramSlot = std::atomic<HistogramCells*>;

  static void bump(Cell& cell, uint64_t n) {
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  // Several times a request: a call would cost more than what it does.
  [[gnu::always_inline]] Cell& cell(uint32_t id) {
    Chunk<Cell>* chunk = chunks_[id / kChunkSize].load(std::memory_order_relaxed);
    if (chunk == nullptr) [[unlikely]]
      chunk = makeChunk(id / kChunkSize);
    return (*chunk)[id % kChunkSize];
  }
  [[gnu::noinline]] Chunk<Cell>* makeChunk(uint32_t index);
  HistogramCells& makeHistogram(uint32_t id);

  std::array<std::atomic<Chunk<Cell>*>, kChunks> chunks_{};
  std::array<std::atomic<Chunk<HistogramSlot>*>, kChunks / 8> histogram_chunks_{};
};

enum class StatKind : uint8_t { kCounter, kGauge, kHistogram };

struct StatTag {
  std::string name;   // "envoy_cluster_name"
  std::string value;  // any bytes: escaped when rendered
};

// A merged histogram. Values are the upper bounds of buckets.
struct HistogramSummary {
  std::vector<uint64_t> buckets;
  uint64_t count = 0;
  uint64_t sum = 0;

  // The value below which `percent` (0..100) of the recorded ones lie; 0 if there are none.
  uint64_t quantile(double percent) const;
  // How many values are at most `bound`, interpolated inside the bucket that the bound cuts.
  uint64_t countUpTo(uint64_t bound) const;
};

class Scope;

// Keeps stats in the registry for as long as anything may count by their handles: whoever passes handles to other
// threads passes this along. Any thread may let go of the last copy.
using StatsHold = std::shared_ptr<const void>;

// The stats of one owner (a listener, a filter, a route table), freed with the last who has the scope: it is a
// StatsHold too. Stats are made through it on main only.
using StatsScope = std::shared_ptr<Scope>;

// What is counted elsewhere, under names that come up as it happens.
class LateStats {
 public:
  virtual ~LateStats() = default;
  // Brings what came since the last time to the registry. Main; `cells` are main's.
  virtual void show(StatsCells& cells) = 0;
};

// Interns names. Main thread only; outlives all users of its cells.
// A stat goes with the last scope or hold that has it: its name is forgotten, its cells are cleared and given to the
// next stat. A name that returns later counts from zero, as a counter of Prometheus may.
class StatsRegistry {
 public:
  StatsRegistry();
  ~StatsRegistry();
  StatsRegistry(const StatsRegistry&) = delete;
  StatsRegistry& operator=(const StatsRegistry&) = delete;

  // Stats of the process ("server.live"); they stay. The same name gives the same id; asked for as another kind it
  // gives a handle that counts nothing. Tags are taken out of known shapes
  // (cluster.NAME.*, http.PREFIX.*, ...); there NAME ends at the first dot, so names that may have dots belong into a
  // scope.
  Counter counter(std::string_view name) { return {intern(name, StatKind::kCounter)}; }
  Gauge gauge(std::string_view name) { return {intern(name, StatKind::kGauge)}; }
  Histogram histogram(std::string_view name) { return {intern(name, StatKind::kHistogram)}; }

  // Stats under "GROUP.NAME.", with NAME as the tag that Envoy gives this group (cluster, http, listener, tcp, rds...).
  // `name` may come from outside: what could break an exposition or look like another stat is replaced by '_'.
  [[nodiscard]] Scope scope(std::string_view group, std::string_view name);
  // A scope for whole names, with tags as those of the process have them: for what belongs to a part of the
  // configuration and goes with it.
  [[nodiscard]] Scope root();

  // Is shown before stats are read, as long as it is there.
  void addLate(std::weak_ptr<LateStats> stats) { late_.push_back(std::move(stats)); }
  void showLate(StatsCells& cells);

  // The cells of one more thread, owned by the registry. Call before the thread starts.
  StatsCells& makeCells();

  // --- reading ---
  struct Stat {
    std::string name;  // dotted, whole
    StatKind kind;
    uint32_t id;
    uint32_t references;
    std::string exposition_name;  // "envoy_cluster_upstream_rq_xx"
    std::vector<StatTag> tags;
  };
  // Ordered by name; valid until the next call.
  std::vector<const Stat*> stats() const;
  const Stat* find(std::string_view name) const;
  uint64_t counterValue(Counter counter) const { return sum(counter.id); }
  int64_t gaugeValue(Gauge gauge) const { return static_cast<int64_t>(sum(gauge.id)); }
  HistogramSummary histogramValue(Histogram histogram) const;
  // For tests and rare look-ups: value of a counter or gauge by name; nullopt if there is none.
  std::optional<int64_t> valueOf(std::string_view name) const;
  size_t size() const {
    collect();
    return index_.size();
  }
  // How many cells were ever in use at once.
  uint32_t cellsUsed() const { return next_cell_ + next_histogram_ - 2; }

 private:
  friend class Scope;
  struct ScopeTags;

  // Places in stats_ that somebody has no handles of any more; from any thread. Main frees them when it comes by.
  struct Released {
    std::mutex mutex;
    std::vector<uint32_t> indexes;

    void add(const std::vector<uint32_t>& more) {
      const std::lock_guard lock(mutex);
      indexes.insert(indexes.end(), more.begin(), more.end());
    }
  };
  struct Place {
    uint32_t id = 0;     // of the cell
    uint32_t index = 0;  // in stats_
  };
  Place place(std::string_view name, StatKind kind, const Scope* scope);
  uint32_t intern(std::string_view name, StatKind kind) { return place(name, kind, nullptr).id; }
  uint32_t takeId(StatKind kind);
  std::unique_ptr<Stat> makeStat(std::string_view name, StatKind kind, const Scope* scope, std::string full) const;
  void collect() const { const_cast<StatsRegistry*>(this)->freeReleased(); }
  void freeReleased();
  void free(uint32_t index);
  uint64_t sum(uint32_t id) const;

  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>> index_;  // name -> place in stats_
  std::vector<std::unique_ptr<Stat>> stats_;                                    // null: the place is free
  std::vector<uint32_t> free_places_, free_cells_, free_histograms_;
  uint32_t next_cell_ = 1;  // 0 is the cell that nobody reads
  uint32_t next_histogram_ = 1;
  const std::shared_ptr<Released> released_ = std::make_shared<Released>();
  std::vector<std::unique_ptr<StatsCells>> cells_;
  std::vector<std::weak_ptr<LateStats>> late_;
};

// Holds the stats that were made through it: a stat goes with the last scope that has it. Used on the main thread; may
// be destroyed on any.
class Scope {
 public:
  Scope() = default;  // of nothing: gives handles that count nothing
  Scope(Scope&& other) noexcept { *this = std::move(other); }
  Scope& operator=(Scope&& other) noexcept;
  ~Scope() { clear(); }

  Counter counter(std::string_view name) { return {intern(name, StatKind::kCounter)}; }
  Gauge gauge(std::string_view name) { return {intern(name, StatKind::kGauge)}; }
  Histogram histogram(std::string_view name) { return {intern(name, StatKind::kHistogram)}; }

  // A scope below this one: "listener.ADDR." -> "listener.ADDR.http.PREFIX.". Independent of this one's life.
  [[nodiscard]] Scope scope(std::string_view group, std::string_view name) const;

  const std::string& prefix() const { return prefix_; }
  // The scope as a hold, for those who count by its handles.
  [[nodiscard]] static StatsHold share(Scope scope) { return std::make_shared<const Scope>(std::move(scope)); }

 private:
  friend class StatsRegistry;
  uint32_t intern(std::string_view name, StatKind kind);
  void clear();

  StatsRegistry* registry_ = nullptr;
  std::shared_ptr<StatsRegistry::Released> released_;
  std::string prefix_;             // "cluster.backend."
  std::string exposition_prefix_;  // "cluster."
  std::vector<StatTag> tags_;
  std::vector<uint32_t> held_;
};

// --- rendering (main thread) -----------------------------------------------------------------------------------------

struct StatsQuery {
  std::string filter;      // RE2, matched anywhere in the dotted name; empty: all
  bool used_only = false;  // only what has a value other than 0, or recorded values
};

// nullopt if the filter is no valid regular expression.
std::optional<std::string> renderText(const StatsRegistry& registry, const StatsQuery& query);
std::optional<std::string> renderJson(const StatsRegistry& registry, const StatsQuery& query);
// Text exposition format 0.0.4.
std::optional<std::string> renderPrometheus(const StatsRegistry& registry, const StatsQuery& query);

}  // namespace sluice::observability
