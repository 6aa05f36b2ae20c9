#include "source/config/file_watch.h"

#include <utility>

#include "source/base/text.h"
#include "source/event/directory_watch.h"
#include "source/worker/main_services.h"

namespace sluice::config {
namespace {

// Ends the watch on main, whoever lets it go.
class Watch {
 public:
  Watch(std::unique_ptr<event::DirectoryWatch> watch, event::Loop& main) : watch_(std::move(watch)), main_(main) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() {
    main_.post([watch = std::move(watch_)] {});
  }

 private:
  std::shared_ptr<event::DirectoryWatch> watch_;
  event::Loop& main_;  // workers, who may be the last to let go of this, outlive main's services
};

}  // namespace

std::shared_ptr<const void> watchDirectory(const std::string& directory, const Services& services,
                                           std::function<void()> on_change, const Context& context) {
  if (services.main == nullptr) return nullptr;
  auto watch = event::DirectoryWatch::start(directory, services.main->loop, std::move(on_change));
  if (!watch.ok()) {
    context.error(base::toStd(watch.status().message()));
    return nullptr;
  }
  return std::make_shared<const Watch>(*std::move(watch), services.main->loop);
}

}  // namespace sluice::config
