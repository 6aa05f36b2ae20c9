#include "source/extensions/geoip_providers/maxmind/database_file.h"

#include "source/base/text.h"

namespace sluice::extensions::geoip_providers::maxmind {

absl::Status DatabaseFile::read() {
  seen_ = versionNow();
  return load();
}

void DatabaseFile::readAgain() {
  const Version version = versionNow();
  if (version == seen_) return;  // another file of the directory
  seen_ = version;
  const absl::Status status = load();
  if (stats_.cells != nullptr) stats_.cells->add(status.ok() ? stats_.reload_success : stats_.reload_error);
  if (!status.ok() && logger_ != nullptr) {
    logger_->warning("geoip", base::toStd(status.message()), "; what was read before serves on");
  }
}

// Taken before the file is read: what is written meanwhile is another version.
DatabaseFile::Version DatabaseFile::versionNow() const {
  struct stat info {};
  if (::stat(path_.c_str(), &info) != 0) return std::nullopt;
  return std::tuple(info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

absl::Status DatabaseFile::load() {
  auto database = Database::read(path_);
  if (!database.ok()) return database.status();
  if (stats_.cells != nullptr) stats_.cells->set(stats_.build_epoch, static_cast<int64_t>((*database)->buildEpoch()));
  database_.set(*std::move(database));
  return absl::OkStatus();
}

}  // namespace sluice::extensions::geoip_providers::maxmind
