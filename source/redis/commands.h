// The commands of Redis that a proxy can serve, and what it does with each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::redis {

enum class Handling : uint8_t {
  // Answered by the proxy.
  kAuth,
  kPing,
  kEcho,
  kTime,
  kQuit,
  kSelect,
  kClient,
  // To the host of one key: of the first word behind the command, of the second, of the third.
  kFirstKey,
  kSecondKey,
  kEval,
  // Split up by keys, and the answers put together.
  kMget,
  kMset,
  kSum,
  // Transactions.
  kMulti,
  kExec,
  kDiscard,
  kWatch,
  kUnwatch,
  // To every host: all have to answer the same; their lists together.
  kAllSame,
  kAllKeys,
  // To every host, but for SCRIPT DEBUG, which is about the connection: all have to answer the same.
  kScript,
  // To some host.
  kAnyHost,
  // To the host, if there is only one.
  kOnlyHost,
};

struct Command {
  std::string_view name;  // in lower case
  Handling handling;
  bool writes;
  // Words behind the command, at least.
  uint8_t arguments = 1;
  // May stand between MULTI and EXEC.
  bool in_transaction = false;
};

// All of them, by name.
std::span<const Command> commands();
// `name`: in lower case. Null: it is not known.
const Command* findCommand(std::string_view name);

}  // namespace sluice::redis
