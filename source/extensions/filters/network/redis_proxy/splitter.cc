#include "source/extensions/filters/network/redis_proxy/splitter.h"

#include <vector>

#include "source/base/ascii.h"
#include "source/base/text.h"

namespace sluice::extensions::network_filters::redis_proxy {

using redis::Handling;
using Merge = Command::Merge;

namespace {

std::string wrongCount(std::string_view name) {
  return base::strCat("wrong number of arguments for '", name, "' command");
}

}  // namespace

std::string Splitter::withKey(Words words, size_t key_at, std::string_view key) {
  std::string bytes;
  redis::appendArray(words.size(), bytes);
  for (size_t i = 0; i < words.size(); ++i) redis::appendBulk(i == key_at ? key : words[i], bytes);
  return bytes;
}

void Splitter::send(Words words, Command& command) {
  switch (command.served()->command.handling) {
    case Handling::kFirstKey:
      return sendToKey(words, 1, command);
    case Handling::kSecondKey:
      return sendToKey(words, 2, command);
    case Handling::kEval:
      return sendToKey(words, 3, command);
    case Handling::kMget:
      return sendEach(words, 1, "GET", Merge::kList, command);
    case Handling::kMset:
      if (words.size() % 2 == 0) return command.fail(wrongCount(words[0]));
      return sendEach(words, 2, "SET", Merge::kOk, command);
    case Handling::kSum:
      return sendEach(words, 1, words[0], Merge::kSum, command);
    case Handling::kScript:
      // It would make everybody's connection a debugger's.
      if (base::equalsLowered(words[1], "debug")) return command.fail("ERR SCRIPT DEBUG is not supported by the proxy");
      return sendToAll(words, Merge::kSame, command);
    case Handling::kAllSame:
      return sendToAll(words, Merge::kSame, command);
    case Handling::kAllKeys:
      return sendToAll(words, Merge::kKeys, command);
    case Handling::kOnlyHost:
      return sendToAll(words, Merge::kOne, command);
    default: {  // kAnyHost
      const Route* const route = settings_.routes.withoutKey();
      command.begin(Merge::kOne, 1);
      Client* const client =
          route == nullptr ? nullptr : pool_.anyHost(route->clusterFor(command.served()->command.writes));
      command.sendPartOn(pool_, client, withKey(words, words.size(), {}));
      return command.begun();
    }
  }
}

void Splitter::sendToKey(Words words, size_t key_at, Command& command) {
  const Route* const route = settings_.routes.find(words[key_at]);
  if (route == nullptr) return command.fail(kNoHost);
  const std::string_view key = route->keyOf(words[key_at]);
  command.begin(Merge::kOne, 1);
  sendPart(key, withKey(words, key_at, key), command, route);
  command.begun();
}

// One command for each key, with the words that belong to it.
void Splitter::sendEach(Words words, size_t step, std::string_view name, Merge merge, Command& command) {
  command.begin(merge, (words.size() - 1) / step);
  for (size_t i = 1; i + step <= words.size(); i += step) {
    const Route* const route = settings_.routes.find(words[i]);
    const std::string_view key = route == nullptr ? words[i] : route->keyOf(words[i]);
    std::string bytes;
    redis::appendArray(1 + step, bytes);
    redis::appendBulk(name, bytes);
    redis::appendBulk(key, bytes);
    for (size_t j = 1; j < step; ++j) redis::appendBulk(words[i + j], bytes);
    sendPart(key, std::move(bytes), command, route);
  }
  command.begun();
}

// Copies are sent where the command itself was.
void Splitter::sendPart(std::string_view key, std::string bytes, Command& command, const Route* route) {
  if (route == nullptr) return command.sendPartOn(pool_, nullptr, {});
  const redis::Command& known = command.served()->command;
  for (const Mirror& mirror : route->mirrors) {
    if (mirror.writes_only && !known.writes) continue;
    if (!mirror.fraction.sample([this] { return worker_.random.next(); })) continue;
    pool_.sendCopy({mirror.cluster, key, known.writes, known.name}, bytes);
  }
  command.sendPart(pool_, {route->clusterFor(known.writes), key, known.writes, known.name}, std::move(bytes));
}

void Splitter::sendToAll(Words words, Merge merge, Command& command) {
  const Route* const route = settings_.routes.withoutKey();
  if (route == nullptr) return command.fail(kNoHost);
  const std::vector<Client*> clients = pool_.everyHost(route->clusterFor(command.served()->command.writes));
  if (merge == Merge::kOne && clients.size() > 1) {
    return command.fail(base::strCat("ERR '", words[0], "' is served where a cluster has one host only"));
  }
  command.begin(merge, clients.size());
  const std::string bytes = withKey(words, words.size(), {});
  for (Client* const client : clients) command.sendPartOn(pool_, client, bytes);
  command.begun();
}

}  // namespace sluice::extensions::network_filters::redis_proxy
