// Sends the commands of a client where their keys belong. Thread: the worker's.
#pragma once

#include <span>
#include <string_view>

#include "source/extensions/filters/network/redis_proxy/command.h"

namespace sluice::extensions::network_filters::redis_proxy {

class Splitter {
 public:
  using Words = std::span<const std::string_view>;

  // All of it outlives the splitter.
  Splitter(worker::WorkerServices& worker, const Settings& settings, Pool& pool)
      : worker_(worker), settings_(settings), pool_(pool) {}

  // `words`: of a command whose handling is not the connection's own matter (auth, transactions, answers of the proxy);
  // as many as it needs at least. Every command gets an answer, perhaps inside the call.
  void send(Words words, Command& command);
  // Bytes of a command with another word in the place of a key.
  static std::string withKey(Words words, size_t key_at, std::string_view key);

 private:
  void sendToKey(Words words, size_t key_at, Command& command);
  void sendEach(Words words, size_t step, std::string_view name, Command::Merge merge, Command& command);
  void sendPart(std::string_view key, std::string bytes, Command& command, const Route* route);
  void sendToAll(Words words, Command::Merge merge, Command& command);

  worker::WorkerServices& worker_;
  const Settings& settings_;
  Pool& pool_;
};

}  // namespace sluice::extensions::network_filters::redis_proxy
