// What all sessions of a worker share. Thread: the worker's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/base/local_ptr.h"
#include "source/event/loop.h"
#include "source/filter/chain_config.h"
#include "source/filter/terminal.h"
#include "source/observability/stats.h"
#include "source/route/scopes.h"
#include "source/route/table.h"
#include "source/session/route_demands.h"
#include "source/worker/services.h"

namespace sluice::session {

class Connection;
class Stream;

// A worker's values by slot: who has a slot gets what main last put there, and pins it for as long as it needs it.
template <typename T>
class WorkerSlots {
 public:
  using Value = std::shared_ptr<const T>;
  // Where the last release of a value goes (freeing something large is main's work); empty: it is freed here.
  using Retire = std::function<void(Value)>;

  // A value as streams of this worker pin it.
  struct Pinned : base::LocalCounted {
    Pinned(Value value, const Retire* retire) : value(std::move(value)), retire(retire) {}
    ~Pinned() {
      if (*retire) (*retire)(std::move(value));
    }
    Value value;
    const Retire* retire;
  };

  explicit WorkerSlots(Retire retire = {}) : retire_(std::move(retire)) {}

  // Null: the slot is empty again. Streams that have pinned what was there before keep it.
  void set(uint32_t slot, Value value) {
    if (slot >= slots_.size()) slots_.resize(slot + 1);
    slots_[slot] = value ? base::makeLocal<Pinned>(std::move(value), &retire_) : base::LocalPtr<Pinned>();
  }
  // Null while the slot is empty.
  base::LocalPtr<Pinned> get(uint32_t slot) const {
    return slot < slots_.size() ? slots_[slot] : base::LocalPtr<Pinned>();
  }

 private:
  const Retire retire_;
  std::vector<base::LocalPtr<Pinned>> slots_;
};

// A connection manager holds the slot, main refills it. While it is empty every request is answered 404.
using RouteTables = WorkerSlots<route::Table>;
// The scopes of connection managers, by the id of their slot.
using ScopeIndexes = WorkerSlots<route::ScopeIndex>;
// Chains that may be exchanged, by the id of their filter::ChainSlot.
using ChainTables = WorkerSlots<filter::ChainConfig>;

// The date header, made once a second.
class DateCache {
 public:
  // "Fri, 20 Nov 2026 22:35:00 GMT"; valid until the next call.
  std::string_view now(event::TimePoint now);

 private:
  event::TimePoint next_{};
  char text_[32];
  size_t size_ = 0;
};

class SessionWorker {
 public:
  SessionWorker(worker::WorkerServices& services, RouteTables& tables);
  ~SessionWorker();

  worker::WorkerServices& services;
  // Of the services.
  event::Loop& loop;
  observability::StatsCells& cells;

  RouteTables& tables;
  ChainTables chains;
  ScopeIndexes scopes;
  RouteDemands route_demands;
  DateCache date;

  // Stream objects are recycled: taken for a request, given back at the end of the turn in which they finished.
  Stream* takeStream();
  void retireStream(Stream& stream);

 private:
  class Reaper;
  std::unique_ptr<Reaper> reaper_;
};

}  // namespace sluice::session
