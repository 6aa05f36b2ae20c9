#include "source/extensions/filters/network/redis_proxy/command.h"

#include <algorithm>
#include <utility>

#include "source/base/text.h"

namespace sluice::extensions::network_filters::redis_proxy {
namespace {

constexpr std::string_view kOkFrame = "+OK\r\n";

// Strings, nothing and errors; anything else is no answer to GET.
void appendItem(std::string_view reply, uint64_t& errors, std::string& out) {
  const redis::Type type = redis::typeOf(reply);
  if (type == redis::Type::kBulk || type == redis::Type::kNull) {
    out += reply;
    return;
  }
  ++errors;
  if (type == redis::Type::kError) {
    out += reply;
  } else {
    redis::appendError("upstream protocol error", out);
  }
}

}  // namespace

Command::Command(worker::WorkerServices& worker, const Settings& settings, Owner& owner, const ServedCommand* served)
    : worker_(worker), settings_(settings), owner_(owner), served_(served), began_(worker.loop.now()) {
  worker_.cells.add(settings_.stats.rq_total);
  worker_.cells.add(settings_.stats.rq_active);
  if (served_ != nullptr) worker_.cells.add(served_->stats.total);
}

Command::~Command() {
  worker_.cells.sub(settings_.stats.rq_active);
}

void Command::begin(Merge merge, size_t parts) {
  merge_ = merge;
  parts_.reserve(parts);
}

void Command::sendPart(Pool& pool, const Pool::Place& place, std::string bytes) {
  Part& part = *parts_.emplace_back(std::make_unique<Part>(*this, parts_.size()));
  part.request = pool.send(place, std::move(bytes), part);
  if (part.request) {
    ++open_;
  } else {
    part.reply = redis::error(kNoHost);
  }
}

void Command::sendPartOn(Pool& pool, Client* client, std::string_view bytes) {
  Part& part = *parts_.emplace_back(std::make_unique<Part>(*this, parts_.size()));
  if (client == nullptr) {
    part.reply = redis::error(kNoHost);
    return;
  }
  part.request = pool.sendOn(*client, bytes, part);
  ++open_;
}

void Command::begun() {
  if (parts_.empty()) return fail(kNoHost);
  begun_ = true;
  if (open_ == 0) mergeParts();
}

// The request that tells stays until its call is over: with the command.
void Command::partAnswered(size_t index, std::string reply) {
  parts_[index]->reply = std::move(reply);
  --open_;
  if (begun_ && open_ == 0) mergeParts();
}

void Command::mergeParts() {
  uint64_t errors = 0;
  if (merge_ == Merge::kOne) {
    const bool sent = parts_[0]->request != nullptr && parts_[0]->reply != redis::error(kFailed);
    return answer(std::move(parts_[0]->reply), sent);
  }
  std::string reply = merged(errors);
  const bool is_list = merge_ == Merge::kList;
  if (errors > 0 && !is_list) reply = redis::error(base::strCat("finished with ", errors, " error(s)"));
  answer(std::move(reply), errors == 0);
}

std::string Command::merged(uint64_t& errors) {
  std::string out;
  switch (merge_) {
    case Merge::kOne:
      break;
    case Merge::kList:
      redis::appendArray(parts_.size(), out);
      for (const auto& part : parts_) appendItem(part->reply, errors, out);
      break;
    case Merge::kOk:
      for (const auto& part : parts_) errors += part->reply != kOkFrame;
      out = kOkFrame;
      break;
    case Merge::kSum: {
      int64_t sum = 0;
      for (const auto& part : parts_) {
        const auto value = redis::parse(part->reply);
        const bool is_number = value && value->type == redis::Type::kInteger;
        if (!is_number || __builtin_add_overflow(sum, value->integer, &sum)) ++errors;
      }
      redis::appendInteger(sum, out);
      break;
    }
    case Merge::kKeys: {
      size_t count = 0;
      std::string items;
      for (const auto& part : parts_) {
        const auto list = redis::listOf(part->reply);
        if (!list) {
          ++errors;
          continue;
        }
        count += list->count;
        items += list->items;
      }
      redis::appendArray(count, out);
      out += items;
      break;
    }
    case Merge::kSame:
      for (const auto& part : parts_) {
        const bool same = part->reply == parts_[0]->reply;
        errors += !same || redis::typeOf(part->reply) == redis::Type::kError;
      }
      if (parts_.size() == 1) errors = 0;  // its error is the answer
      out = parts_[0]->reply;
      break;
  }
  return out;
}

void Command::answer(std::string reply, bool success) {
  reply_ = std::move(reply);
  if (served_ != nullptr) worker_.cells.add(success ? served_->stats.success : served_->stats.error);
  if (delay_.count() == 0) return finish();
  delay_timer_ = std::make_unique<event::Timer>(worker_.loop.timers(), [this] {
    worker_.cells.add(served_->stats.delay_fault);
    finish();
  });
  delay_timer_->arm(delay_);
}

void Command::finish() {
  done_ = true;
  if (served_ != nullptr) {
    const event::Duration took = worker_.loop.now() - began_;
    using std::chrono::duration_cast;
    const auto units = settings_.latency_in_micros ? duration_cast<std::chrono::microseconds>(took).count()
                                                   : duration_cast<milliseconds>(took).count();
    worker_.cells.record(served_->stats.latency, static_cast<uint64_t>(units));
  }
  owner_.onCommandDone();
}

}  // namespace sluice::extensions::network_filters::redis_proxy
