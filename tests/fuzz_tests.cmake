# The fuzzers: each replays its corpus, then draws inputs of its own: a minute in sum where a sanitizer
# looks on, else a few seconds.
set(fuzz_seconds 3)
if(NEARSHELF_SANITIZE)
  set(fuzz_seconds 15)
endif()

# nearshelf_fuzz(frame DEPS wire): fuzz/fuzz_frame.c on fuzz/corpus/frame and frame.grown. With NEARSHELF_FUZZ (clang)
# fuzz_frame_run too, the same under libFuzzer: fuzz_frame_run FOUND CORPUS -max_total_time=60.
function(nearshelf_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "DEPS")
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  add_executable(fuzz_${name} fuzz/fuzz_${name}.c fuzz/fuzz_main.c)
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_DEPS} base nearshelf_flags)
  add_test(NAME fuzz.${name} COMMAND fuzz_${name} --seconds ${fuzz_seconds} ${corpus}
    ${corpus}.grown)
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  if(NEARSHELF_FUZZ)
    add_executable(fuzz_${name}_run fuzz/fuzz_${name}.c)
    target_compile_definitions(fuzz_${name}_run PRIVATE FUZZ_ENGINE)
    target_link_options(fuzz_${name}_run PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${name}_run PRIVATE ${ARG_DEPS} base nearshelf_flags)
  endif()
endfunction()

nearshelf_fuzz(frame DEPS wire m)
nearshelf_fuzz(log DEPS log_fixture)
nearshelf_fuzz(snapshot DEPS snapshot log_sim tables_sample)
nearshelf_fuzz(config DEPS config)
