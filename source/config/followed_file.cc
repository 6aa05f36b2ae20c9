#include "source/config/followed_file.h"

#include "absl/strings/str_cat.h"
#include "source/config/file_watch.h"
#include "source/config/loader.h"
#include "source/config/validate.h"
#include "source/worker/main_services.h"

namespace sluice::config {

bool readMessageFile(const envoy::config::core::v3::DataSource& source, google::protobuf::Message& proto,
                     Positions& positions, const Context& at) {
  if (source.filename().empty()) {
    at.error("is no file; name one by filename");
    return false;
  }
  return Loader(at.errors(), positions).loadFile(source.filename(), proto) &&
         validate(proto, Context(at.errors(), &positions));
}

namespace detail {

FollowedFile::FollowedFile(Following following, const FactoryContext& context)
    : following_(std::move(following)), later_(context) {
  later_.init = nullptr;
}

bool FollowedFile::start(const std::shared_ptr<FollowedFile>& file, const envoy::config::core::v3::DataSource& source,
                         const FactoryContext& context) {
  // Before the file is read, so that no change comes between.
  if (source.has_watched_directory()) {
    const Context at = context.at.child("watched_directory");
    if (source.filename().empty()) {
      at.error("is for a file; remove it, or name the file by filename");
      return false;
    }
    if (const std::string& stats = file->following_.stats; !stats.empty()) {
      file->success_ = context.stats->counter(absl::StrCat(stats, "reload_success"));
      file->failure_ = context.stats->counter(absl::StrCat(stats, "reload_failure"));
    }
    const auto on_change = [weak = std::weak_ptr(file)] {
      if (const auto changed = weak.lock()) changed->readAgain();
    };
    const ErrorMark mark(at);
    file->watch_ = watchDirectory(source.watched_directory().path(), context.services, on_change, at);
    if (mark.hit()) return false;
  }
  return file->read(context);
}

void FollowedFile::readAgain() {
  ErrorList errors;
  const bool ok = read(later_.moved(Context(errors, nullptr, later_.at.path())));
  if (worker::MainServices* const main = later_.services.main; main != nullptr && success_) {
    main->cells.add(ok ? *success_ : *failure_, 1);
  }
  if (!ok && later_.services.logger != nullptr) {
    later_.services.logger->warning(following_.log, following_.what,
                                    " that were read before hold: ", errors.toString());
  }
}

}  // namespace detail
}  // namespace sluice::config
