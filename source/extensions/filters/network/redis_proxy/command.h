// One command of a client, from when it was read until its answer is there.
//
// It is answered by the proxy, or in parts by hosts, whose answers are put together. Destruction gives up what is under
// way. Thread: the worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/event/timer.h"
#include "source/extensions/filters/network/redis_proxy/pool.h"

namespace sluice::extensions::network_filters::redis_proxy {

// What clients are told.
inline constexpr std::string_view kNoHost = "no upstream host";
inline constexpr std::string_view kFailed = "upstream failure";

class Command {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // An answer is there. Last thing that the command does: it may be destroyed.
    virtual void onCommandDone() = 0;
  };

  // How the answers of the parts become one.
  enum class Merge : uint8_t {
    kOne,   // there is one part, whose answer it is
    kList,  // a list of them: strings
    kOk,    // OK, if all are that
    kSum,   // numbers are added
    kKeys,  // their lists as one
    kSame,  // the first, if all are the same
  };

  // `served`: null: of no known command, and counted nowhere. All of it outlives the command.
  Command(worker::WorkerServices& worker, const Settings& settings, Owner& owner, const ServedCommand* served);
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // The answer is held back so long. (proto: RedisFault.delay)
  void delayBy(milliseconds delay) { delay_ = delay; }
  // The proxy's own answer; `success` counts.
  void answer(std::string reply, bool success);
  void fail(std::string_view error) { answer(redis::error(error), false); }

  // Then one sendPart() or sendPartOn() for each part, and begun().
  void begin(Merge merge, size_t parts);
  void sendPart(Pool& pool, const Pool::Place& place, std::string bytes);
  // `client`: null: there is no host.
  void sendPartOn(Pool& pool, Client* client, std::string_view bytes);
  void begun();

  // Of the command as it came.
  void setBytes(size_t bytes) { bytes_ = bytes; }
  size_t bytes() const { return bytes_; }

  bool done() const { return done_; }
  // Once it is done.
  const std::string& reply() const { return reply_; }
  const ServedCommand* served() const { return served_; }

 private:
  struct Part final : AnswerEvents {
    Part(Command& owner, size_t at) : command(owner), index(at) {}
    void onAnswer(std::string_view frame) override { command.partAnswered(index, std::string(frame)); }
    void onLost() override { command.partAnswered(index, redis::error(kFailed)); }

    Command& command;
    const size_t index;
    std::unique_ptr<Request> request;
    std::string reply;
  };

  void partAnswered(size_t index, std::string reply);
  void mergeParts();
  std::string merged(uint64_t& errors);
  void finish();

  worker::WorkerServices& worker_;
  const Settings& settings_;
  Owner& owner_;
  const ServedCommand* const served_;
  const event::TimePoint began_;
  milliseconds delay_{0};
  Merge merge_ = Merge::kOne;
  std::vector<std::unique_ptr<Part>> parts_;
  size_t open_ = 0;     // parts without an answer
  bool begun_ = false;  // all parts were sent
  std::unique_ptr<event::Timer> delay_timer_;
  std::string reply_;
  size_t bytes_ = 0;
  bool done_ = false;
};

}  // namespace sluice::extensions::network_filters::redis_proxy
