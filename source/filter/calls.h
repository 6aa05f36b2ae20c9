// The call-out port under the names that filters know it by.
#pragma once

#include "source/worker/calls.h"

namespace sluice::filter {

using worker::Call;
using worker::Calls;
using worker::GrpcCall;
using worker::GrpcCallRequest;
using worker::GrpcEvents;
using worker::HttpCallRequest;
using worker::HttpCallResponse;
using worker::HttpStreamCall;
using worker::HttpStreamEvents;
using worker::NoCalls;

}  // namespace sluice::filter
