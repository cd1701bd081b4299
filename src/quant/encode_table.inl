// Who encodes what.
void FillEncoders(Encoders& table) {
  table.q4_0 = EncodeQ4_0;
  table.q5_0 = EncodeQ5_0;
  table.q8_0 = EncodeQ8_0;
  table.iq4_nl = EncodeIq4Nl;
  table.mxfp4 = EncodeMxfp4;
  table.q3_k = EncodeQ3K;
  table.q6_k = EncodeQ6K;
  table.iq4_xs = EncodeIq4Xs;
  table.q4_1 = EncodeQ4_1;
  table.q5_1 = EncodeQ5_1;
  table.q2_k = EncodeQ2K;
  table.q4_k = EncodeQ4K;
  table.q5_k = EncodeQ5K;
}
