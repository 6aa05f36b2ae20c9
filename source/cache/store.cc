#include "source/cache/store.h"

#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "source/base/text.h"

namespace sluice::cache {

// Seeded anew for each process: clients choose the keys.
size_t Store::hashOf(std::string_view key) {
  return absl::Hash<absl::string_view>{}(base::toAbsl(key));
}

std::string Store::variantKey(const Node& node, const http::HeaderList& request) {
  return base::strCat(node.key, "\n", node.generation, "\n", variantOf(node.vary, request));
}

Store::Found Store::find(const Name& name, const http::HeaderList& request) {
  Found found;
  Shard& shard = shardOf(name.address);
  const std::lock_guard hold(shard.lock);
  Node* node = nodeOf(shard, name.key);
  if (node == nullptr) return found;
  touch(shard, *node);
  if (node->response == nullptr) {
    found.varies = true;
    found.variant = variantKey(*node, request);
    node = nodeOf(shard, found.variant);
    if (node == nullptr) return found;
    touch(shard, *node);
  }
  found.response = node->response;
  return found;
}

Store::Put Store::put(const Name& name, Ticket ticket, const VaryNames& vary, const http::HeaderList& request,
                      std::shared_ptr<const StoredResponse> response, Labels tags) {
  const auto& [address, key] = name;
  auto node = std::make_unique<Node>();
  node->labels = std::move(tags);
  node->labels.insert(node->labels.begin(), address);
  node->bytes = kNodeBytes + key.size() + response->bytes();
  for (const std::string& label : node->labels) node->bytes += kLabelBytes + label.size();
  if (node->bytes > largest()) return Put::kTooLarge;
  {
    Shard& shard = shardOf(address);
    const std::lock_guard hold(shard.lock);
    if (epochOf(address).load(std::memory_order_relaxed) != ticket.epoch) return Put::kOutOfDate;
    if (purges_.tookAny(node->labels, ticket.purges)) return Put::kOutOfDate;
    node->key = key;
    node->response = std::move(response);
    if (!vary.empty()) {
      Node* varying = nodeOf(shard, key);
      if (varying == nullptr || varying->vary != vary) {
        auto made = std::make_unique<Node>();
        made->key = key;
        made->vary = vary;
        made->generation = next_generation_.fetch_add(1, std::memory_order_relaxed);
        made->labels = {address};
        made->bytes = kNodeBytes + key.size() + kLabelBytes + address.size();
        varying = made.get();
        insert(shard, std::move(made));
      }
      node->key = variantKey(*varying, request);
      node->bytes += node->key.size() - key.size();
    }
    insert(shard, std::move(node));
  }
  trim(hashOf(address) % kShards);
  return Put::kStored;
}

void Store::invalidate(const Name& name) {
  Shard& shard = shardOf(name.address);
  const std::lock_guard hold(shard.lock);
  epochOf(name.address).fetch_add(1, std::memory_order_relaxed);
  if (Node* node = nodeOf(shard, name.key)) erase(shard, *node);
}

// Whoever comes is told of it before anything is looked for, here and in purge(): what is stored from now on either is
// younger, or is still found.
size_t Store::invalidateAddress(const std::string& address) {
  epochOf(address).fetch_add(1, std::memory_order_relaxed);
  return purgeShard(shardOf(address), {address});
}

size_t Store::purge(const Purge& purge) {
  const Selector what = Selector::of(purge, addressing_);
  if (purge.by == Purge::By::kAddress) return invalidateAddress(what.text);
  purges_.add(what);
  size_t count = 0;
  for (Shard& shard : shards_) count += purgeShard(shard, what);
  return count;
}

size_t Store::purgeShard(Shard& shard, const Selector& what) {
  size_t count = 0;
  while (purgeSome(shard, what, count)) {
  }
  return count;
}

// False: there was no more than that.
bool Store::purgeSome(Shard& shard, const Selector& what, size_t& count) {
  std::vector<std::unique_ptr<Node>> gone;  // goes without the lock
  const std::lock_guard hold(shard.lock);
  for (size_t labels = 0; labels < kLabelsAtOnce; labels += gone.back()->labels.size()) {
    const auto first = shard.labels.lower_bound({what.text, nullptr});
    if (first == shard.labels.end() || !what.takes(first->first)) return false;
    gone.push_back(take(shard, *first->second));
    count += gone.back()->response != nullptr;
  }
  return true;
}

bool Store::reserve(size_t bytes) {
  if (incoming_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= max_bytes_ / kIncomingPart) return true;
  release(bytes);
  return false;
}

Store::Node* Store::nodeOf(Shard& shard, std::string_view key) {
  const auto found = shard.nodes.find(base::toAbsl(key));
  return found == shard.nodes.end() ? nullptr : found->second.get();
}

void Store::touch(Shard& shard, Node& node) {
  if (!std::exchange(node.again, true)) shard.again_bytes += node.bytes;
  node.unlink();  // it may be the first already
  shard.again.pushFront(node);
  while (shard.again_bytes > max_bytes_ / kShards * 4 / 5 && &shard.again.back() != &node) {
    Node& oldest = shard.again.back();
    oldest.again = false;
    shard.again_bytes -= oldest.bytes;
    shard.once.pushFront(oldest);
  }
}

void Store::insert(Shard& shard, std::unique_ptr<Node> node) {
  if (Node* before = nodeOf(shard, node->key)) erase(shard, *before);
  bytes_.fetch_add(node->bytes, std::memory_order_relaxed);
  shard.once.pushFront(*node);
  for (const std::string& label : node->labels) shard.labels.emplace(label, node.get());
  std::string key = node->key;
  shard.nodes.emplace(std::move(key), std::move(node));
}

std::unique_ptr<Store::Node> Store::take(Shard& shard, Node& node) {
  bytes_.fetch_sub(node.bytes, std::memory_order_relaxed);
  if (node.again) shard.again_bytes -= node.bytes;
  node.unlink();
  for (const std::string& label : node.labels) shard.labels.erase({label, &node});
  return std::move(shard.nodes.extract(node.key).mapped());
}

// What was asked for once goes first, but for the latest of each shard; then what was asked for again. Each from the
// shard that has grown on, so that what is in use in others does not pay for it.
Store::Node* Store::victimOf(Shard& shard, int round) {
  if (round == 1) return shard.again.empty() ? nullptr : &shard.again.back();
  if (shard.once.empty() || (round == 0 && &shard.once.back() == &shard.once.front())) return nullptr;
  return &shard.once.back();
}

void Store::trim(size_t grown) {
  for (size_t step = 0; step < 3 * kShards && bytes() > max_bytes_; ++step) {
    Shard& shard = shards_[(grown + step) % kShards];
    const std::lock_guard hold(shard.lock);
    while (bytes() > max_bytes_) {
      Node* victim = victimOf(shard, static_cast<int>(step / kShards));
      if (victim == nullptr) break;
      erase(shard, *victim);
    }
  }
}

}  // namespace sluice::cache
