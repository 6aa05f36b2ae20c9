// What services of filters answer, by chance.
#pragma once

#include <string>

#include "source/base/random.h"
#include "test/support/filter/fake_calls.h"

namespace sluice::chains {

filter::HttpCallResponse randomAnswer(base::Random& random);

// To a message of the call.
std::string randomGrpcAnswer(base::Random& random, const filter::testing::FakeGrpcCall& call,
                             const std::string& question);

}  // namespace sluice::chains
