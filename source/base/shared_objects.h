// Objects of the whole process by key: what a configuration names stays what it is while any generation of it lives,
// and so a new one finds the counts and tokens of the one before.
//
// Thread: main; the objects themselves are held, and may go, on any thread.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace sluice::base {

class SharedObjects {
 public:
  // The T under `key`, made by `make()` (a shared_ptr<T>) if nobody holds one. Keys of different types are apart.
  template <typename T, typename Make>
  std::shared_ptr<T> get(const std::string& key, Make&& make) {
    if (objects_.size() >= sweep_at_) sweep();
    std::weak_ptr<void>& place = objects_[{&kType<T>, key}];
    if (std::shared_ptr<void> known = place.lock()) return std::static_pointer_cast<T>(std::move(known));
    std::shared_ptr<T> made = make();
    place = made;
    return made;
  }
  // Each T that somebody holds.
  template <typename T, typename Visit>
  void forEach(Visit visit) const {
    for (auto at = objects_.lower_bound({&kType<T>, {}}); at != objects_.end() && at->first.first == &kType<T>; ++at) {
      if (const std::shared_ptr<void> known = at->second.lock()) visit(*std::static_pointer_cast<T>(known));
    }
  }
  // With those that are gone and have not been swept out.
  size_t size() const { return objects_.size(); }

 private:
  template <typename T>
  static inline const char kType = 0;  // its address tells types apart

  // Whenever there are twice as many as were left the last time.
  void sweep() {
    std::erase_if(objects_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<size_t>(64, objects_.size() * 2);
  }

  std::map<std::pair<const void*, std::string>, std::weak_ptr<void>> objects_;
  size_t sweep_at_ = 64;
};

}  // namespace sluice::base
