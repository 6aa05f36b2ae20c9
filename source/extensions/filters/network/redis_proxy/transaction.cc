#include "source/extensions/filters/network/redis_proxy/transaction.h"

#include <string_view>
#include <vector>

#include "source/base/ascii.h"
#include "source/base/text.h"

namespace sluice::extensions::network_filters::redis_proxy {

using redis::Handling;

namespace {

// Every how many words there is a key, from the first word on; 0: the first word alone is one that is looked at.
size_t stepOf(Handling handling) {
  switch (handling) {
    case Handling::kMget:
    case Handling::kSum:
    case Handling::kWatch:
      return 1;
    case Handling::kMset:
      return 2;
    default:
      return 0;
  }
}

}  // namespace

bool Transaction::takes(const redis::Command& command) const {
  switch (command.handling) {
    case Handling::kMulti:
    case Handling::kExec:
    case Handling::kDiscard:
    case Handling::kWatch:
    case Handling::kUnwatch:
      return true;
    default:
      return active_;
  }
}

void Transaction::send(Words words, Command& command) {
  letGoIfOver();  // the next one may be for another host
  const redis::Command& known = command.served()->command;
  switch (known.handling) {
    case Handling::kMulti:
      return multi(words, command);
    case Handling::kExec:
    case Handling::kDiscard:
      return end(words, command);
    case Handling::kUnwatch:
      return unwatch(words, command);
    default:
      if (!known.in_transaction) {
        return command.fail(base::strCat("'", words[0], "' command is not supported within transaction"));
      }
      return keyed(words, command);
  }
}

void Transaction::multi(Words words, Command& command) {
  if (active_) return command.fail("MULTI calls can not be nested");
  if (lost_) {  // a watch
    lost_ = false;
    return command.fail(kFailed);
  }
  active_ = true;
  if (client_) return forward(words, command);
  command.answer(redis::simple("OK"), true);
}

void Transaction::end(Words words, Command& command) {
  if (!active_)
    return command.fail(command.served()->command.handling == Handling::kExec ? "EXEC without MULTI"
                                                                              : "DISCARD without MULTI");
  active_ = watching_ = false;
  if (lost_) {
    lost_ = false;
    return command.fail(kFailed);
  }
  if (client_) return forward(words, command);
  const bool exec = command.served()->command.handling == Handling::kExec;
  command.answer(exec ? "*0\r\n" : redis::simple("OK"), true);
}

void Transaction::unwatch(Words words, Command& command) {
  if (!client_) {
    lost_ = lost_ && active_;
    return lost_ ? command.fail(kFailed) : command.answer(redis::simple(active_ ? "QUEUED" : "OK"), true);
  }
  if (!active_) watching_ = false;
  forward(words, command);
}

// The first one says to which host all go.
void Transaction::keyed(Words words, Command& command) {
  if (lost_) {
    lost_ = active_;
    return command.fail(kFailed);
  }
  if (!client_) route_ = settings_.routes.find(words[1]);
  std::vector<std::string_view> sent(words.begin(), words.end());
  const size_t step = stepOf(command.served()->command.handling);
  for (size_t i = 1; i < words.size(); i += step) {
    const Route* const route = settings_.routes.find(words[i]);
    if (route != route_) return command.fail("ERR all keys of a transaction have to be of one route");
    if (route != nullptr) sent[i] = route->keyOf(words[i]);
    if (step == 0) break;
  }
  if (!client_ && !open(sent[1], command)) return;
  if (!active_) watching_ = true;
  forward(sent, command);
}

bool Transaction::open(std::string_view key, Command& command) {
  if (route_ != nullptr) client_ = pool_.openOwn({route_->cluster, key, true}, *this);
  if (!client_) {
    lost_ = active_;
    command.fail(kNoHost);
    return false;
  }
  if (active_) client_->sendFirst(redis::command({"MULTI"}));
  return true;
}

void Transaction::forward(Words words, Command& command) {
  command.begin(Command::Merge::kOne, 1);
  command.sendPartOn(pool_, client_.get(), Splitter::withKey(words, words.size(), {}));
  command.begun();
}

void Transaction::letGoIfOver() {
  if (!active_ && !watching_ && client_ && client_->idle()) client_.reset();
}

void Transaction::onClientOver(Client&) {
  lost_ = active_ || watching_;
  watching_ = false;
  client_.reset();
}

}  // namespace sluice::extensions::network_filters::redis_proxy
