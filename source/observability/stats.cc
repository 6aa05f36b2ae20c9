#include "source/observability/stats.h"

#include <algorithm>
#include <bit>

#include "absl/strings/ascii.h"

#include "source/base/text.h"

namespace sluice::observability {
namespace {

constexpr uint32_t kSubBucketBits = 3;
constexpr uint64_t kSubBuckets = 1 << kSubBucketBits;
constexpr uint64_t kMaxValue = (uint64_t{1} << 32) - 1;

// What a name from outside may bring into a dotted stat name. Dots stay, as they do in Envoy; ':' becomes '_', as it
// does there.
std::string sanitised(std::string_view name) {
  std::string out(name.substr(0, 512));
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == ':' || c == '"' || c == '\\') c = '_';
  }
  return out;
}

// The tag that holds NAME of "GROUP.NAME.stat", as in Envoy's well-known names; empty: a group that we made ourselves.
std::string tagOfGroup(std::string_view group) {
  struct Known {
    std::string_view group, tag;
  };
  static constexpr Known kKnown[] = {
      {"cluster", "envoy_cluster_name"},      {"http", "envoy_http_conn_manager_prefix"},
      {"listener", "envoy_listener_address"}, {"tcp", "envoy_tcp_prefix"},
      {"rds", "envoy_rds_route_config"},      {"vhost", "envoy_virtual_host"},
      {"thread", "envoy_worker_id"},          {"udp", "envoy_udp_prefix"},
      {"vcluster", "envoy_virtual_cluster"},  {"route", "envoy_route"},
      {"redis", "envoy_redis_prefix"},
  };
  for (const Known& known : kKnown) {
    if (known.group == group) return std::string(known.tag);
  }
  return base::strCat("envoy_", group, "_name");
}

// "downstream_rq_2xx" -> "downstream_rq_xx" and the class; "upstream_rq_503" -> "upstream_rq" and the code.
std::string takeResponseCode(std::string_view name, std::vector<StatTag>& tags) {
  const size_t at = name.rfind("_rq_");
  if (at == std::string_view::npos || name.size() != at + 7) return std::string(name);
  const std::string_view code = name.substr(at + 4);
  if (!absl::ascii_isdigit(code[0])) return std::string(name);
  if (code.substr(1) == "xx") {
    tags.push_back({"envoy_response_code_class", std::string(code.substr(0, 1))});
    return base::strCat(name.substr(0, at), "_rq_xx");
  }
  if (!absl::ascii_isdigit(code[1]) || !absl::ascii_isdigit(code[2])) return std::string(name);
  tags.push_back({"envoy_response_code", std::string(code)});
  return base::strCat(name.substr(0, at), "_rq");
}

// "grpc.pkg.Service.Method.success" -> "grpc.success", the service and the method.
std::string takeGrpcMethod(std::string_view name, std::vector<StatTag>& tags) {
  if (!name.starts_with("grpc.")) return std::string(name);
  const std::string_view what = name.substr(name.rfind('.') + 1);
  const std::string_view path = name.substr(5, name.size() - 5 - std::min(name.size() - 5, what.size() + 1));
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return std::string(name);
  tags.push_back({"envoy_grpc_bridge_service", std::string(path.substr(0, dot))});
  tags.push_back({"envoy_grpc_bridge_method", std::string(path.substr(dot + 1))});
  return base::strCat("grpc.", what);
}

// "PREFIX.http_local_rate_limit.ok" -> "http_local_rate_limit.ok" and the prefix.
std::string takeLocalRateLimit(std::string_view name, std::vector<StatTag>& tags) {
  const size_t at = name.find(".http_local_rate_limit.");
  if (at == std::string_view::npos) return std::string(name);
  tags.push_back({"envoy_local_http_ratelimit_prefix", std::string(name.substr(0, at))});
  return std::string(name.substr(at + 1));
}

std::string expositionName(std::string_view name) {
  std::string out = base::strCat("envoy_", name);
  for (char& c : out) {
    if (!absl::ascii_isalnum(c)) c = '_';
  }
  return out;
}

}  // namespace

// --- cells -----------------------------------------------------------------------------------------------------------

size_t HistogramCells::bucketOf(uint64_t value) {
  if (value < kSubBuckets) return value;
  value = std::min(value, kMaxValue);
  const uint32_t octave = std::bit_width(value) - 1 - kSubBucketBits;  // 0 for 8..15
  return kSubBuckets * (octave + 1) + ((value >> octave) & (kSubBuckets - 1));
}

std::pair<uint64_t, uint64_t> HistogramCells::boundsOf(size_t bucket) {
  if (bucket < kSubBuckets) return {bucket, bucket};
  const uint32_t octave = bucket / kSubBuckets - 1;
  const uint64_t low = (kSubBuckets + bucket % kSubBuckets) << octave;
  return {low, low + (uint64_t{1} << octave) - 1};
}

StatsCells::~StatsCells() {
  for (auto& slot : chunks_) std::unique_ptr<Chunk<Cell>>(slot.load());
  for (auto& slot : histogram_chunks_) {
    const std::unique_ptr<Chunk<HistogramSlot>> chunk(slot.load());
    if (!chunk) continue;
    for (HistogramSlot& histogram : *chunk) std::unique_ptr<HistogramCells>(histogram.load());
  }
}

StatsCells::Chunk<StatsCells::Cell>* StatsCells::makeChunk(uint32_t index) {
  Chunk<Cell>* chunk = std::make_unique<Chunk<Cell>>().release();
  chunks_[index].store(chunk, std::memory_order_release);
  return chunk;
}

HistogramCells& StatsCells::makeHistogram(uint32_t id) {
  std::atomic<Chunk<HistogramSlot>*>& slot = histogram_chunks_[id / kChunkSize];
  Chunk<HistogramSlot>* chunk = slot.load(std::memory_order_relaxed);
  if (chunk == nullptr) {
    chunk = std::make_unique<Chunk<HistogramSlot>>().release();
    slot.store(chunk, std::memory_order_release);
  }
  HistogramSlot& histogram = (*chunk)[id % kChunkSize];
  HistogramCells* cells = histogram.load(std::memory_order_relaxed);
  if (cells == nullptr) {
    cells = std::make_unique<HistogramCells>().release();
    histogram.store(cells, std::memory_order_release);
  }
  return *cells;
}

void StatsCells::record(Histogram histogram, uint64_t value) {
  HistogramCells& cells = makeHistogram(histogram.id);
  bump(cells.buckets[HistogramCells::bucketOf(value)], 1);
  bump(cells.sum, value);
}

uint64_t StatsCells::read(uint32_t id) const {
  const Chunk<Cell>* chunk = chunks_[id / kChunkSize].load(std::memory_order_acquire);
  return chunk == nullptr ? 0 : (*chunk)[id % kChunkSize].load(std::memory_order_relaxed);
}

void StatsCells::clear(uint32_t id) {
  Chunk<Cell>* chunk = chunks_[id / kChunkSize].load(std::memory_order_acquire);
  if (chunk != nullptr) (*chunk)[id % kChunkSize].store(0, std::memory_order_relaxed);
}

void StatsCells::clearHistogram(uint32_t id) {
  Chunk<HistogramSlot>* chunk = histogram_chunks_[id / kChunkSize].load(std::memory_order_acquire);
  HistogramCells* cells = chunk == nullptr ? nullptr : (*chunk)[id % kChunkSize].load(std::memory_order_acquire);
  if (cells == nullptr) return;
  for (Cell& bucket : cells->buckets) bucket.store(0, std::memory_order_relaxed);
  cells->sum.store(0, std::memory_order_relaxed);
}

const HistogramCells* StatsCells::histogram(uint32_t id) const {
  const Chunk<HistogramSlot>* chunk = histogram_chunks_[id / kChunkSize].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : (*chunk)[id % kChunkSize].load(std::memory_order_acquire);
}

// --- histograms ------------------------------------------------------------------------------------------------------

uint64_t HistogramSummary::quantile(double percent) const {
  if (count == 0) return 0;
  const double wanted = percent / 100.0 * static_cast<double>(count);
  uint64_t seen = 0;
  uint64_t last = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    if (buckets[i] == 0) continue;
    const auto [low, high] = HistogramCells::boundsOf(i);
    if (seen == 0 && wanted <= 0) return low;
    seen += buckets[i];
    last = high;
    if (static_cast<double>(seen) >= wanted) break;
  }
  return last;
}

uint64_t HistogramSummary::countUpTo(uint64_t bound) const {
  uint64_t total = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    const auto [low, high] = HistogramCells::boundsOf(i);
    if (low > bound) break;
    total += high <= bound ? buckets[i] : buckets[i] * (bound - low + 1) / (high - low + 1);
  }
  return total;
}

// --- registry --------------------------------------------------------------------------------------------------------

StatsRegistry::StatsRegistry() = default;
StatsRegistry::~StatsRegistry() = default;

StatsCells& StatsRegistry::makeCells() {
  cells_.push_back(std::make_unique<StatsCells>());
  return *cells_.back();
}

StatsRegistry::Place StatsRegistry::place(std::string_view name, StatKind kind, const Scope* scope) {
  freeReleased();
  const std::string clean = sanitised(name);
  std::string full = scope == nullptr ? clean : base::strCat(scope->prefix_, clean);
  if (const auto known = index_.find(full); known != index_.end()) {
    Stat& stat = *stats_[known->second];
    if (stat.kind != kind) return {};
    ++stat.references;
    return {stat.id, known->second};
  }
  const uint32_t id = takeId(kind);
  if (id == 0) return {};
  auto stat = makeStat(clean, kind, scope, std::move(full));
  stat->id = id;
  uint32_t index = static_cast<uint32_t>(stats_.size());
  if (free_places_.empty()) {
    stats_.emplace_back();
  } else {
    index = free_places_.back();
    free_places_.pop_back();
  }
  index_.emplace(stat->name, index);
  stats_[index] = std::move(stat);
  return {id, index};
}

// 0: there are too many.
uint32_t StatsRegistry::takeId(StatKind kind) {
  const bool histogram = kind == StatKind::kHistogram;
  if (std::vector<uint32_t>& free = histogram ? free_histograms_ : free_cells_; !free.empty()) {
    const uint32_t id = free.back();
    free.pop_back();
    return id;
  }
  uint32_t& next = histogram ? next_histogram_ : next_cell_;
  return next == (histogram ? StatsCells::kMaxIds / 8 : StatsCells::kMaxIds) ? 0 : next++;
}

std::unique_ptr<StatsRegistry::Stat> StatsRegistry::makeStat(std::string_view name, StatKind kind, const Scope* scope,
                                                             std::string full) const {
  auto stat = std::make_unique<Stat>(Stat{std::move(full), kind, 0, 1, {}, {}});
  std::string_view rest = name;
  std::string exposition_prefix;
  const bool whole = scope == nullptr || scope->prefix_.empty();
  if (!whole) {
    stat->tags = scope->tags_;
    exposition_prefix = scope->exposition_prefix_;
  } else {
    for (const std::string_view group : {"cluster.", "http.", "listener.", "tcp.", "udp."}) {
      const size_t end = rest.find('.', group.size());
      if (!rest.starts_with(group) || end == std::string_view::npos) {
        continue;
      }
      stat->tags.push_back(
          {tagOfGroup(group.substr(0, group.size() - 1)), std::string(rest.substr(group.size(), end - group.size()))});
      exposition_prefix = group;
      rest = rest.substr(end + 1);
      break;
    }
  }
  std::string base = takeGrpcMethod(rest, stat->tags);
  if (whole) base = takeLocalRateLimit(base, stat->tags);
  base = takeResponseCode(base, stat->tags);
  stat->exposition_name = expositionName(base::strCat(exposition_prefix, base));
  return stat;
}

void StatsRegistry::freeReleased() {
  std::vector<uint32_t> indexes;
  {
    const std::lock_guard lock(released_->mutex);
    indexes.swap(released_->indexes);
  }
  for (const uint32_t index : indexes) {
    if (--stats_[index]->references == 0) free(index);
  }
}

// The lock of whoever released it last orders the writes of all its users before ours.
void StatsRegistry::free(uint32_t index) {
  const Stat& stat = *stats_[index];
  const bool histogram = stat.kind == StatKind::kHistogram;
  for (const auto& cells : cells_) {
    if (histogram) {
      cells->clearHistogram(stat.id);
    } else {
      cells->clear(stat.id);
    }
  }
  (histogram ? free_histograms_ : free_cells_).push_back(stat.id);
  index_.erase(stat.name);
  stats_[index].reset();
  free_places_.push_back(index);
}

Scope StatsRegistry::root() {
  Scope out;
  out.registry_ = this;
  out.released_ = released_;
  return out;
}

Scope StatsRegistry::scope(std::string_view group, std::string_view name) {
  return root().scope(group, name);
}

void StatsRegistry::showLate(StatsCells& cells) {
  std::erase_if(late_, [&cells](const std::weak_ptr<LateStats>& each) {
    const std::shared_ptr<LateStats> stats = each.lock();
    if (stats) stats->show(cells);
    return !stats;
  });
}

std::vector<const StatsRegistry::Stat*> StatsRegistry::stats() const {
  collect();
  std::vector<const Stat*> out;
  out.reserve(index_.size());
  for (const auto& stat : stats_) {
    if (stat) out.push_back(stat.get());
  }
  std::sort(out.begin(), out.end(), [](const Stat* a, const Stat* b) { return a->name < b->name; });
  return out;
}

const StatsRegistry::Stat* StatsRegistry::find(std::string_view name) const {
  collect();
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : stats_[found->second].get();
}

uint64_t StatsRegistry::sum(uint32_t id) const {
  uint64_t total = 0;
  for (const auto& cells : cells_) total += cells->read(id);
  return total;
}

std::optional<int64_t> StatsRegistry::valueOf(std::string_view name) const {
  const Stat* stat = find(name);
  if (stat == nullptr || stat->kind == StatKind::kHistogram) return std::nullopt;
  return static_cast<int64_t>(sum(stat->id));
}

HistogramSummary StatsRegistry::histogramValue(Histogram histogram) const {
  HistogramSummary out;
  out.buckets.resize(HistogramCells::kBuckets);
  for (const auto& cells : cells_) {
    const HistogramCells* part = cells->histogram(histogram.id);
    if (part == nullptr) continue;
    for (size_t i = 0; i < HistogramCells::kBuckets; ++i) {
      const uint64_t n = part->buckets[i].load(std::memory_order_relaxed);
      out.buckets[i] += n;
      out.count += n;
    }
    out.sum += part->sum.load(std::memory_order_relaxed);
  }
  return out;
}

// --- scope -----------------------------------------------------------------------------------------------------------

Scope& Scope::operator=(Scope&& other) noexcept {
  if (this == &other) return *this;
  clear();
  registry_ = std::exchange(other.registry_, nullptr);
  released_ = std::move(other.released_);
  prefix_ = std::move(other.prefix_);
  exposition_prefix_ = std::move(other.exposition_prefix_);
  tags_ = std::move(other.tags_);
  held_ = std::exchange(other.held_, {});
  return *this;
}

void Scope::clear() {
  if (registry_ == nullptr) return;
  if (!held_.empty()) released_->add(held_);
  held_.clear();
  registry_ = nullptr;
}

Scope Scope::scope(std::string_view group, std::string_view name) const {
  Scope out;
  out.registry_ = registry_;
  out.released_ = released_;
  out.prefix_ = base::strCat(prefix_, sanitised(group), ".", sanitised(name), ".");
  out.exposition_prefix_ = base::strCat(exposition_prefix_, sanitised(group), ".");
  out.tags_ = tags_;
  // Addresses are known as 127.0.0.1_80 there too, whatever else is kept as it was given.
  out.tags_.push_back({tagOfGroup(group), group == "listener" ? sanitised(name) : std::string(name)});
  return out;
}

uint32_t Scope::intern(std::string_view name, StatKind kind) {
  if (registry_ == nullptr) return 0;
  const StatsRegistry::Place found = registry_->place(name, kind, this);
  if (found.id != 0) held_.push_back(found.index);
  return found.id;
}

}  // namespace sluice::observability
