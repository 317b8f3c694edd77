/* Printed by t/interop/ring. */

static const char *const  fleet_0[] = {
    "10.0.0.1:4000",
};

static const vector_t  vectors_0[] = {
    { "5feceb66ffc86f38d952786c6d696c79"
      "c2dbc239dd4e91b46729d73a27fb57e9",
      { 0 } },
    { "6b86b273ff34fce19d6b804eff5a3f57"
      "47ada4eaa22f1d49c01e52ddb7875b4b",
      { 0 } },
    { "d4735e3a265e16eee03f59718b9b5d03"
      "019c07d8b6c51f90da3a666eec13ab35",
      { 0 } },
    { "4e07408562bedb8b60ce05c1decfe3ad"
      "16b72230967de01f640b7e4729b49fce",
      { 0 } },
    { "4b227777d4dd1fc61c6f884f48641d02"
      "b4d121d3fd328cb08b5531fcacdabf8a",
      { 0 } },
    { "ef2d127de37b942baad06145e54b0c61"
      "9a1f22327b2ebbcfbec78f5564afe39d",
      { 0 } },
    { "e7f6c011776e8db7cd330b54174fd76f"
      "7d0216b612387a5ffcfb81e6f0919683",
      { 0 } },
    { "7902699be42c8a8e46fbbb4501726517"
      "e86b22c56a189f7625a6da49081b2451",
      { 0 } },
    { "2c624232cdd221771294dfbb310aca00"
      "0a0df6ac8b66b696d90ef06fdefb64a3",
      { 0 } },
    { "19581e27de7ced00ff1ce50b2047e7a5"
      "67c76b1cbaebabe5ef03f7c3017bb5b7",
      { 0 } },
    { "4a44dc15364204a80fe80e9039455cc1"
      "608281820fe2b24f1e5233ade6af1dd5",
      { 0 } },
    { "4fc82b26aecb47d2868c4efbe3581732"
      "a3e7cbcc6c2efb32062c08170a05eeb8",
      { 0 } },
};

static const char *const  fleet_1[] = {
    "10.0.0.1:4000",
    "10.0.0.2:4000",
    "10.0.0.3:4000",
};

static const vector_t  vectors_1[] = {
    { "5feceb66ffc86f38d952786c6d696c79"
      "c2dbc239dd4e91b46729d73a27fb57e9",
      { 2, 0, 1 } },
    { "6b86b273ff34fce19d6b804eff5a3f57"
      "47ada4eaa22f1d49c01e52ddb7875b4b",
      { 2, 1, 0 } },
    { "d4735e3a265e16eee03f59718b9b5d03"
      "019c07d8b6c51f90da3a666eec13ab35",
      { 0, 1, 2 } },
    { "4e07408562bedb8b60ce05c1decfe3ad"
      "16b72230967de01f640b7e4729b49fce",
      { 0, 2, 1 } },
    { "4b227777d4dd1fc61c6f884f48641d02"
      "b4d121d3fd328cb08b5531fcacdabf8a",
      { 2, 0, 1 } },
    { "ef2d127de37b942baad06145e54b0c61"
      "9a1f22327b2ebbcfbec78f5564afe39d",
      { 2, 0, 1 } },
    { "e7f6c011776e8db7cd330b54174fd76f"
      "7d0216b612387a5ffcfb81e6f0919683",
      { 1, 2, 0 } },
    { "7902699be42c8a8e46fbbb4501726517"
      "e86b22c56a189f7625a6da49081b2451",
      { 1, 0, 2 } },
    { "2c624232cdd221771294dfbb310aca00"
      "0a0df6ac8b66b696d90ef06fdefb64a3",
      { 0, 1, 2 } },
    { "19581e27de7ced00ff1ce50b2047e7a5"
      "67c76b1cbaebabe5ef03f7c3017bb5b7",
      { 2, 0, 1 } },
    { "4a44dc15364204a80fe80e9039455cc1"
      "608281820fe2b24f1e5233ade6af1dd5",
      { 0, 2, 1 } },
    { "4fc82b26aecb47d2868c4efbe3581732"
      "a3e7cbcc6c2efb32062c08170a05eeb8",
      { 1, 2, 0 } },
};

static const char *const  fleet_2[] = {
    "192.0.2.7:65535",
    "[2001:db8::1]:4000",
    "[2001:db8::1]:4001",
    "198.51.100.200:1",
    "[2001:db8:0:1::2]:14100",
};

static const vector_t  vectors_2[] = {
    { "5feceb66ffc86f38d952786c6d696c79"
      "c2dbc239dd4e91b46729d73a27fb57e9",
      { 2, 0, 1, 3, 4 } },
    { "6b86b273ff34fce19d6b804eff5a3f57"
      "47ada4eaa22f1d49c01e52ddb7875b4b",
      { 3, 4, 0, 1, 2 } },
    { "d4735e3a265e16eee03f59718b9b5d03"
      "019c07d8b6c51f90da3a666eec13ab35",
      { 0, 1, 3, 2, 4 } },
    { "4e07408562bedb8b60ce05c1decfe3ad"
      "16b72230967de01f640b7e4729b49fce",
      { 3, 0, 4, 2, 1 } },
    { "4b227777d4dd1fc61c6f884f48641d02"
      "b4d121d3fd328cb08b5531fcacdabf8a",
      { 2, 0, 1, 3, 4 } },
    { "ef2d127de37b942baad06145e54b0c61"
      "9a1f22327b2ebbcfbec78f5564afe39d",
      { 4, 0, 3, 1, 2 } },
    { "e7f6c011776e8db7cd330b54174fd76f"
      "7d0216b612387a5ffcfb81e6f0919683",
      { 2, 0, 1, 3, 4 } },
    { "7902699be42c8a8e46fbbb4501726517"
      "e86b22c56a189f7625a6da49081b2451",
      { 4, 0, 1, 2, 3 } },
    { "2c624232cdd221771294dfbb310aca00"
      "0a0df6ac8b66b696d90ef06fdefb64a3",
      { 0, 3, 4, 1, 2 } },
    { "19581e27de7ced00ff1ce50b2047e7a5"
      "67c76b1cbaebabe5ef03f7c3017bb5b7",
      { 4, 0, 3, 1, 2 } },
    { "4a44dc15364204a80fe80e9039455cc1"
      "608281820fe2b24f1e5233ade6af1dd5",
      { 0, 3, 4, 2, 1 } },
    { "4fc82b26aecb47d2868c4efbe3581732"
      "a3e7cbcc6c2efb32062c08170a05eeb8",
      { 3, 1, 2, 0, 4 } },
};
