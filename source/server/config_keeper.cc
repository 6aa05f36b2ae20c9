#include "source/server/config_keeper.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "source/xds/subscriptions.h"

namespace sluice::server {

ConfigKeeper::ConfigKeeper(event::Loop& main, observability::Logger& logger, observability::StatsRegistry& stats,
                           observability::StatsCells& cells, ConfigStore store)
    : main_(main),
      logger_(logger),
      cells_(cells),
      store_(std::make_shared<const ConfigStore>(std::move(store))),
      write_success_(stats.counter("config_store.write_success")),
      write_failure_(stats.counter("config_store.write_failure")) {
  absl::StatusOr<ConfigStore::Contents> contents = store_->read();
  if (absl::IsNotFound(contents.status())) return;
  if (!contents.ok()) {
    cells_.add(stats.counter("config_store.read_failure"));
    logger_.error("xds", "what was accepted before the start is not used: ", std::string(contents.status().message()));
    return;
  }
  size_t count = 0;
  for (ConfigStore::Type& type : contents->types) {
    count += type.resources.size();
    before_[{type.url, type.source}] =
        std::make_shared<const xds::StoredType>(xds::StoredType{std::move(type.resources), main_.now() + kPatience});
  }
  cells_.set(stats.gauge("config_store.read_resources"), static_cast<int64_t>(count));
  cells_.set(stats.gauge("config_store.saved_s"), std::chrono::system_clock::to_time_t(contents->saved));
  logger_.info("xds", store_->path(), " has ", count, " resources that were accepted by ",
               absl::FormatTime(absl::FromChrono(contents->saved), absl::UTCTimeZone()),
               "; they serve if nothing comes of the control plane");
}

ConfigKeeper::~ConfigKeeper() {
  dirty_ = dirty_ || writing_;
  writing_.reset();
  thread_.reset();  // not while it writes
  if (dirty_ && subscriptions != nullptr) written(store_->write(collect()));
}

std::shared_ptr<const xds::StoredType> ConfigKeeper::stored(std::string_view type_url,
                                                            const std::string& source) const {
  const auto found = before_.find({std::string(type_url), source});
  return found == before_.end() ? nullptr : found->second;
}

void ConfigKeeper::onChange() {
  dirty_ = true;
  if (!timer_.armed() && !writing_) timer_.arm(kBetweenWrites);
}

ConfigStore::Contents ConfigKeeper::collect() {
  std::map<Key, ConfigStore::Type> all;
  std::set<std::string_view> types;
  subscriptions->forEach([&](const xds::Subscriptions::View& view) {
    if (view.stream == nullptr) return;  // a file is there in any case
    types.insert(view.type_url);
    Key key(view.type_url, view.identity);
    if (view.stats.update_success + view.stats.config_reload > 0) before_.erase(key);
    if (!before_.contains(key)) all[key] = {key.first, key.second, {}};
  });
  for (const std::string_view type : types) {
    for (xds::Verdict& verdict : subscriptions->verdicts(type)) {
      const auto one = all.find({std::string(type), std::string(verdict.source)});
      if (one == all.end() || !verdict.body || verdict.expires) continue;
      one->second.resources.push_back({std::move(verdict.name), std::move(verdict.version), std::move(verdict.body)});
    }
  }
  ConfigStore::Contents out;
  out.saved = std::chrono::system_clock::now();
  for (auto& [key, type] : all) out.types.push_back(std::move(type));
  for (const auto& [key, type] : before_) out.types.push_back({key.first, key.second, type->resources});
  return out;
}

void ConfigKeeper::write() {
  if (subscriptions == nullptr || writing_) return;
  dirty_ = false;
  auto status = std::make_shared<absl::Status>();
  auto contents = std::make_shared<const ConfigStore::Contents>(collect());
  writing_ = thread_->run(
      main_, 0, [store = store_, contents, status] { *status = store->write(*contents); },
      [this, status] {
        writing_.reset();
        written(*status);
        if (dirty_) timer_.arm(status->ok() ? kBetweenWrites : kAfterFailure);
      });
}

void ConfigKeeper::written(const absl::Status& status) {
  cells_.add(status.ok() ? write_success_ : write_failure_);
  if (status.ok()) return told_.clear();
  dirty_ = true;
  if (std::string text(status.message()); text != told_) {
    logger_.error("xds", "what the control plane sent is not stored: ", text);
    told_ = std::move(text);
  }
}

}  // namespace sluice::server
