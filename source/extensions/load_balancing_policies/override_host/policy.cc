#include "source/extensions/load_balancing_policies/override_host/policy.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <variant>

#include "source/net/address.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::load_balancing_policies::override_host {
namespace {

using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::LbContext;

// So many are looked at: a client may write a list.
constexpr int kMostNamed = 64;

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string_view textAt(const Source& source, const LbContext& context) {
  if (!source.header.empty()) {
    return context.headers == nullptr ? std::string_view() : trimmed(context.headers->get(source.header).value_or(""));
  }
  const stream::DynamicMetadata* metadata = context.dynamicMetadata();
  const stream::MetadataValue* value = metadata == nullptr ? nullptr : metadata->find(source.filter, source.path);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(&value->value);
  return text == nullptr ? std::string_view() : trimmed(*text);
}

class Picker final : public upstream::lb::LbPicker {
 public:
  Picker(const std::vector<Source>& sources, std::unique_ptr<upstream::lb::LbPicker> fallback)
      : sources_(sources), fallback_(std::move(fallback)) {}

  void update(const upstream::lb::PreparedHosts& hosts) override {
    hosts_ = hosts.set.get();
    fallback_->update(hosts);
  }

  HostSlot pick(const LbContext& context) override {
    Search search{context.attempts + context.repicked};
    for (const Source& source : sources_) {
      const HostSlot slot = pickOf(textAt(source, context), search);
      if (slot != kNoHost) return slot;
    }
    return fallback_->pick(context);
  }

 private:
  // Through the lists of all sources.
  struct Search {
    uint32_t before;        // of the hosts that may get requests so many are passed over
    int left = kMostNamed;  // so many more are looked at
  };

  HostSlot pickOf(std::string_view list, Search& search) const {
    while (!list.empty() && search.left-- > 0) {
      const size_t comma = std::min(list.find(','), list.size());
      const HostSlot slot = hostAt(trimmed(list.substr(0, comma)));
      if (slot != kNoHost && search.before-- == 0) return slot;
      list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return kNoHost;
  }
  HostSlot hostAt(std::string_view address) const {
    if (address.empty()) return kNoHost;
    const absl::StatusOr<net::Address> parsed = net::Address::parse(address);
    return parsed.ok() ? hosts_->availableAt(*parsed) : kNoHost;
  }

  const std::vector<Source>& sources_;
  const std::unique_ptr<upstream::lb::LbPicker> fallback_;
  const upstream::cluster::HostSet* hosts_ = nullptr;
};

}  // namespace

std::unique_ptr<upstream::lb::LbPicker> Policy::makePicker(upstream::lb::LbWorker& worker) const {
  return std::make_unique<Picker>(sources_, inner().makePicker(worker));
}

}  // namespace sluice::extensions::load_balancing_policies::override_host
