nearshelf_test(unit/test_wire_frame.c LABEL unit DEPS wire base)
nearshelf_test(unit/test_wire_reader.c LABEL unit DEPS wire m)
nearshelf_test(unit/test_wire_writer.c LABEL unit DEPS wire PkgConfig::MSGPACK)
nearshelf_test(unit/test_wire_readme.c LABEL unit DEPS wire PkgConfig::MSGPACK
  ARGS ${PROJECT_SOURCE_DIR}/proto/README.md)
nearshelf_test(model/test_wire_model.c LABEL model DEPS wire PkgConfig::MSGPACK)
